(* OCaml: the garbage collector, lists, strings, an exception, printf. *)
exception Nothing of string

let sum_squares count = List.fold_left (+) 0 (List.init count (fun i -> (i + 1) * (i + 1)))
let repeat_word word times = String.concat "-" (List.init times (fun _ -> word))
let message = ref ""

let divide a b =
  if b = 0 then raise (Nothing (Printf.sprintf "cannot divide %d by zero" a)) else a / b

let try_divide a b =
  try divide a b with Nothing said -> message := said; -1

let last_error () = !message
let say_hello name = Printf.printf "hello, %s (%.2f)\n%!" name 1.5

let () =
  Callback.register "sum_squares" sum_squares;
  Callback.register "repeat_word" repeat_word;
  Callback.register "try_divide" try_divide;
  Callback.register "last_error" last_error;
  Callback.register "say_hello" say_hello
