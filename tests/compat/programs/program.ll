; LLVM's own language, compiled by llvmlite: libc's malloc, strcat, sprintf and printf; a thread-local message.
target triple = "x86_64-unknown-linux-gnu"

@hello = private unnamed_addr constant [18 x i8] c"hello, %s (%.2f)\0A\00"
@cannot = private unnamed_addr constant [26 x i8] c"cannot divide %ld by zero\00"
@dash = private unnamed_addr constant [2 x i8] c"-\00"
@kept = internal global ptr null
@message = internal thread_local global [64 x i8] zeroinitializer

declare ptr @malloc(i64)
declare ptr @calloc(i64, i64)
declare void @free(ptr)
declare i64 @strlen(ptr)
declare ptr @strcat(ptr, ptr)
declare i32 @sprintf(ptr, ptr, ...)
declare i32 @printf(ptr, ...)
declare i32 @fflush(ptr)

define i64 @sum_squares(i64 %count) {
entry:
  %bytes = shl i64 %count, 3
  %values = call ptr @malloc(i64 %bytes)
  br label %fill
fill:
  %i = phi i64 [ 0, %entry ], [ %next, %fill ]
  %next = add i64 %i, 1
  %square = mul i64 %next, %next
  %place = getelementptr i64, ptr %values, i64 %i
  store i64 %square, ptr %place
  %filled = icmp eq i64 %next, %count
  br i1 %filled, label %sum, label %fill
sum:
  %j = phi i64 [ 0, %fill ], [ %after, %sum ]
  %total = phi i64 [ 0, %fill ], [ %more, %sum ]
  %from = getelementptr i64, ptr %values, i64 %j
  %value = load i64, ptr %from
  %more = add i64 %total, %value
  %after = add i64 %j, 1
  %summed = icmp eq i64 %after, %count
  br i1 %summed, label %done, label %sum
done:
  call void @free(ptr %values)
  ret i64 %more
}

define ptr @repeat_word(ptr %word, i64 %times) {
entry:
  %old = load ptr, ptr @kept
  call void @free(ptr %old)
  %length = call i64 @strlen(ptr %word)
  %one = add i64 %length, 1
  %all = mul i64 %one, %times
  %text = call ptr @calloc(i64 %all, i64 1)
  store ptr %text, ptr @kept
  br label %join
join:
  %i = phi i64 [ 1, %entry ], [ %next, %again ]
  call ptr @strcat(ptr %text, ptr %word)
  %last = icmp eq i64 %i, %times
  br i1 %last, label %done, label %again
again:
  call ptr @strcat(ptr %text, ptr @dash)
  %next = add i64 %i, 1
  br label %join
done:
  ret ptr %text
}

define i64 @try_divide(i64 %a, i64 %b) {
  %zero = icmp eq i64 %b, 0
  br i1 %zero, label %error, label %fine
error:
  call i32 (ptr, ptr, ...) @sprintf(ptr @message, ptr @cannot, i64 %a)
  ret i64 -1
fine:
  %quotient = sdiv i64 %a, %b
  ret i64 %quotient
}

define ptr @last_error() {
  ret ptr @message
}

define void @say_hello(ptr %name) {
  call i32 (ptr, ...) @printf(ptr @hello, ptr %name, double 1.5)
  call i32 @fflush(ptr null)
  ret void
}
