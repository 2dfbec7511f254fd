/* The C side of program.ml: OCaml values are found by name and called, as its manual says (chapter 22.7). */
#include <caml/alloc.h>
#include <caml/callback.h>
#include <caml/mlvalues.h>
#include <stdlib.h>
#include <string.h>

static char *kept, *message;

static const char *keep(char **place, value text) {
    free(*place);
    return *place = strdup(String_val(text));
}

void start(void) {
    char *argv[] = {"program", NULL};
    caml_startup(argv);
}

long sum_squares(long count) { return Long_val(caml_callback(*caml_named_value("sum_squares"), Val_long(count))); }

const char *repeat_word(const char *word, long times) {
    return keep(&kept, caml_callback2(*caml_named_value("repeat_word"), caml_copy_string(word), Val_long(times)));
}

long try_divide(long a, long b) {
    return Long_val(caml_callback2(*caml_named_value("try_divide"), Val_long(a), Val_long(b)));
}

const char *last_error(void) { return keep(&message, caml_callback(*caml_named_value("last_error"), Val_unit)); }

void say_hello(const char *name) { caml_callback(*caml_named_value("say_hello"), caml_copy_string(name)); }
