// Rust: Vec, String and CString, a panic that is caught, println!, thread_local!, threads.
#![crate_type = "lib"]

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_long};
use std::panic;
use std::sync::Mutex;
use std::thread;

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::new(CString::new("").unwrap());
}

static KEPT: Mutex<Option<CString>> = Mutex::new(None);

fn text(word: *const c_char) -> String {
    unsafe { CStr::from_ptr(word) }.to_string_lossy().into_owned()
}

#[no_mangle]
pub extern "C" fn sum_squares(count: c_long) -> c_long {
    let squares: HashMap<c_long, c_long> = (1..=count).map(|i| (i, i * i)).collect();
    squares.values().sum()
}

#[no_mangle]
pub extern "C" fn repeat_word(word: *const c_char, times: c_long) -> *const c_char {
    let words: Vec<String> = (0..times).map(|_| text(word)).collect();
    let mut kept = KEPT.lock().unwrap();
    *kept = Some(CString::new(words.join("-")).unwrap());
    kept.as_ref().unwrap().as_ptr()
}

fn divide(a: c_long, b: c_long) -> c_long {
    if b == 0 {
        panic!("cannot divide {} by zero", a);
    }
    a / b
}

#[no_mangle]
pub extern "C" fn try_divide(a: c_long, b: c_long) -> c_long {
    panic::set_hook(Box::new(|_| ()));
    panic::catch_unwind(|| divide(a, b)).unwrap_or_else(|error| {
        let said = error.downcast_ref::<String>().unwrap().clone();
        MESSAGE.with(|message| *message.borrow_mut() = CString::new(said).unwrap());
        -1
    })
}

#[no_mangle]
pub extern "C" fn last_error() -> *const c_char {
    MESSAGE.with(|message| message.borrow().as_ptr())
}

#[no_mangle]
pub extern "C" fn say_hello(name: *const c_char) {
    println!("hello, {} ({:.2})", text(name), 1.5);
}

#[no_mangle]
pub extern "C" fn in_threads(count: c_long) -> c_long {
    let threads: Vec<_> = (0..4)
        .map(|_| thread::spawn(move || if try_divide(1, 0) == -1 { sum_squares(count) } else { -1 }))
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}
