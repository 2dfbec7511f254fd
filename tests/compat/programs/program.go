// Go: the garbage collector, maps, strings, a panic that is recovered, fmt, goroutines.
package main

// #include <stdlib.h>
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

var kept, message *C.char
var started = map[string]int{"at start": 42}

func keep(place **C.char, text string) *C.char {
	C.free(unsafe.Pointer(*place))
	*place = C.CString(text)
	return *place
}

//export sum_squares
func sum_squares(count C.long) C.long {
	if started["at start"] != 42 {
		return -1
	}
	squares := map[C.long]C.long{}
	for i := C.long(1); i <= count; i++ {
		squares[i] = i * i
	}
	runtime.GC()
	var sum C.long
	for _, square := range squares {
		sum += square
	}
	return sum
}

//export repeat_word
func repeat_word(word *C.char, times C.long) *C.char {
	words := make([]string, times)
	for i := range words {
		words[i] = C.GoString(word)
	}
	return keep(&kept, strings.Join(words, "-"))
}

//export try_divide
func try_divide(a, b C.long) (quotient C.long) {
	defer func() {
		if recover() != nil {
			keep(&message, fmt.Sprintf("cannot divide %d by zero", a))
			quotient = -1
		}
	}()
	return a / b
}

//export last_error
func last_error() *C.char { return message }

//export say_hello
func say_hello(name *C.char) { fmt.Printf("hello, %s (%.2f)\n", C.GoString(name), 1.5) }

//export in_threads
func in_threads(count C.long) C.long {
	var done sync.WaitGroup
	results := make([]C.long, 4)
	for i := range results {
		done.Add(1)
		go func(i int) {
			defer done.Done()
			results[i] = sum_squares(count)
		}(i)
	}
	done.Wait()
	return results[0] + results[1] + results[2] + results[3]
}

func main() {}
