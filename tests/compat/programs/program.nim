# Nim: sequences, strings, an exception, echo.
import std/[math, sequtils, strformat, strutils]

var kept, message: string
let started = parseInt("42")

proc sumSquares(count: clong): clong {.exportc: "sum_squares", cdecl.} =
  if started != 42: return -1
  toSeq(1 .. count.int).mapIt(it * it).sum.clong

proc repeatWord(word: cstring, times: clong): cstring {.exportc: "repeat_word", cdecl.} =
  kept = newSeqWith(times.int, $word).join("-")
  kept.cstring

proc divide(a, b: clong): clong =
  if b == 0: raise newException(ValueError, &"cannot divide {a} by zero")
  a div b

proc tryDivide(a, b: clong): clong {.exportc: "try_divide", cdecl.} =
  try: result = divide(a, b)
  except ValueError as error:
    message = error.msg
    result = -1

proc lastError(): cstring {.exportc: "last_error", cdecl.} = message.cstring

proc sayHello(name: cstring) {.exportc: "say_hello", cdecl.} =
  echo &"hello, {name} ({1.5:.2f})"
  flushFile(stdout)
