# GNU as: libc called from assembly: malloc, strcat, sprintf, errno, printf, a variable of the library's.
        .intel_syntax noprefix
        .globl  sum_squares, repeat_word, try_divide, last_error, say_hello
        .set    EDOM, 33

        .text
sum_squares:                            # fills an array that malloc gave, and sums it
        push    rbx
        mov     rbx, rdi
        shl     rdi, 3
        call    malloc@PLT
        xor     ecx, ecx
1:      lea     rdx, [rcx + 1]
        imul    rdx, rdx
        mov     [rax + rcx*8], rdx
        inc     rcx
        cmp     rcx, rbx
        jb      1b
        xor     ecx, ecx
        xor     edx, edx
2:      add     rdx, [rax + rcx*8]
        inc     rcx
        cmp     rcx, rbx
        jb      2b
        mov     rdi, rax
        mov     rbx, rdx
        call    free@PLT
        mov     rax, rbx
        pop     rbx
        ret

repeat_word:                            # joins with strcat in memory that calloc gave
        push    rbx
        push    r12
        push    r13
        mov     rbx, rdi
        mov     r12, rsi
        call    strlen@PLT
        lea     rdi, [rax + 1]
        imul    rdi, r12
        inc     rdi
        mov     esi, 1
        call    calloc@PLT
        mov     r13, rax
        mov     rdi, [rip + kept]
        mov     [rip + kept], rax
        call    [rip + free@GOTPCREL]
1:      mov     rdi, r13
        mov     rsi, rbx
        call    strcat@PLT
        dec     r12
        jz      2f
        mov     rdi, r13
        lea     rsi, [rip + dash]
        call    strcat@PLT
        jmp     1b
2:      mov     rax, r13
        pop     r13
        pop     r12
        pop     rbx
        ret

try_divide:                             # sets errno as libc does
        test    rsi, rsi
        jz      1f
        mov     rax, rdi
        cqo
        idiv    rsi
        ret
1:      push    rbx
        mov     rbx, rdi
        call    __errno_location@PLT
        mov     dword ptr [rax], EDOM
        mov     rdx, rbx
        lea     rsi, [rip + cannot]
        mov     rdi, [rip + where]
        xor     eax, eax
        call    sprintf@PLT
        mov     rax, -1
        pop     rbx
        ret

last_error:
        sub     rsp, 8
        call    __errno_location@PLT
        cmp     dword ptr [rax], EDOM
        lea     rax, [rip + message]
        mov     ecx, 0
        cmovne  rax, rcx
        add     rsp, 8
        ret

say_hello:
        sub     rsp, 8
        mov     rsi, rdi
        lea     rdi, [rip + hello]
        movsd   xmm0, [rip + half]
        mov     eax, 1
        call    printf@PLT
        mov     rax, [rip + stdout@GOTPCREL]
        mov     rdi, [rax]
        call    fflush@PLT
        add     rsp, 8
        ret

        .section .rodata
hello:  .string "hello, %s (%.2f)\n"
cannot: .string "cannot divide %ld by zero"
dash:   .string "-"
        .balign 8
half:   .double 1.5

        .data
where:  .quad   message

        .bss
        .lcomm  kept, 8
        .lcomm  message, 64
        .section .note.GNU-stack, "", @progbits
