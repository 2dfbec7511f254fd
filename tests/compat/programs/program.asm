; nasm: libc called from assembly: malloc, strcat, sprintf, errno, printf, a variable of the library's.
        default rel
        global  sum_squares:function, repeat_word:function, try_divide:function
        global  last_error:function, say_hello:function
        extern  malloc, free, calloc, strlen, strcat, sprintf, printf, fflush, stdout, __errno_location

EDOM    equ     33

        section .text
sum_squares:                            ; fills an array that malloc gave, and sums it
        push    rbx
        mov     rbx, rdi
        shl     rdi, 3
        call    malloc wrt ..plt
        xor     ecx, ecx
.fill:  lea     rdx, [rcx + 1]
        imul    rdx, rdx
        mov     [rax + rcx*8], rdx
        inc     rcx
        cmp     rcx, rbx
        jb      .fill
        xor     ecx, ecx
        xor     edx, edx
.sum:   add     rdx, [rax + rcx*8]
        inc     rcx
        cmp     rcx, rbx
        jb      .sum
        mov     rdi, rax
        mov     rbx, rdx
        call    free wrt ..plt
        mov     rax, rbx
        pop     rbx
        ret

repeat_word:                            ; joins with strcat in memory that calloc gave
        push    rbx
        push    r12
        push    r13
        mov     rbx, rdi
        mov     r12, rsi
        call    strlen wrt ..plt
        lea     rdi, [rax + 1]
        imul    rdi, r12
        inc     rdi
        mov     esi, 1
        call    calloc wrt ..plt
        mov     r13, rax
        mov     rdi, [kept]
        mov     [kept], rax
        call    free wrt ..plt
.join:  mov     rdi, r13
        mov     rsi, rbx
        call    strcat wrt ..plt
        dec     r12
        jz      .done
        mov     rdi, r13
        lea     rsi, [dash]
        call    strcat wrt ..plt
        jmp     .join
.done:  mov     rax, r13
        pop     r13
        pop     r12
        pop     rbx
        ret

try_divide:                             ; sets errno as libc does
        test    rsi, rsi
        jz      .error
        mov     rax, rdi
        cqo
        idiv    rsi
        ret
.error: push    rbx
        mov     rbx, rdi
        call    [rel __errno_location wrt ..got]
        mov     dword [rax], EDOM
        mov     rdx, rbx
        lea     rsi, [cannot]
        lea     rdi, [message]
        xor     eax, eax
        call    sprintf wrt ..plt
        mov     rax, -1
        pop     rbx
        ret

last_error:
        sub     rsp, 8
        call    __errno_location wrt ..plt
        cmp     dword [rax], EDOM
        mov     rax, [where]
        mov     ecx, 0
        cmovne  rax, rcx
        add     rsp, 8
        ret

say_hello:
        sub     rsp, 8
        mov     rsi, rdi
        lea     rdi, [hello]
        movsd   xmm0, [half]
        mov     eax, 1
        call    printf wrt ..plt
        mov     rax, [rel stdout wrt ..got]
        mov     rdi, [rax]
        call    fflush wrt ..plt
        add     rsp, 8
        ret

        section .rodata
hello:  db      "hello, %s (%.2f)", 10, 0
cannot: db      "cannot divide %ld by zero", 0
dash:   db      "-", 0
        align   8
half:   dq      1.5

        section .data
where:  dq      message

        section .bss
kept:   resq    1
message: resb   64
