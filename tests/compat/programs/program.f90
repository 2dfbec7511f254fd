! Fortran: allocatable arrays, deferred-length strings, an input error caught by iostat, formatted output.
module program
  use iso_c_binding
  implicit none
  character(len=:, kind=c_char), allocatable, target :: kept, message
contains
  function text(word) result(string)
    type(c_ptr), value :: word
    character(len=:), allocatable :: string
    character(kind=c_char), pointer :: letters(:)
    integer :: i
    call c_f_pointer(word, letters, [1000])
    string = ""
    do i = 1, 1000
      if (letters(i) == c_null_char) exit
      string = string // letters(i)
    end do
  end function

  function sum_squares(count) bind(c) result(total)
    integer(c_long), value :: count
    integer(c_long) :: total, i
    integer(c_long), allocatable :: values(:)
    allocate (values(count))
    values = [(i * i, i = 1, count)]
    total = sum(values)
  end function

  function repeat_word(word, times) bind(c) result(address)
    type(c_ptr), value :: word
    integer(c_long), value :: times
    type(c_ptr) :: address
    kept = repeat(text(word) // "-", int(times))
    kept = kept(:len(kept) - 1) // c_null_char
    address = c_loc(kept)
  end function

  function try_divide(a, b) bind(c) result(quotient)
    integer(c_long), value :: a, b
    integer(c_long) :: quotient
    integer :: status
    character(len=80) :: digits, said
    ! no exceptions in Fortran: what fails at run time, and is told so by iostat, is a read of what is no number
    write (digits, "(i0)") b
    if (b == 0) digits = "none"
    read (digits, *, iostat=status, iomsg=said) quotient
    if (status /= 0) then
      write (said, "(a, i0, a)") "cannot divide ", a, " by zero"
      message = trim(said) // c_null_char
      quotient = -1
    else
      quotient = a / quotient
    end if
  end function

  function last_error() bind(c) result(address)
    type(c_ptr) :: address
    address = c_loc(message)
  end function

  subroutine say_hello(name) bind(c)
    use iso_fortran_env, only: output_unit
    type(c_ptr), value :: name
    print "(3a, f4.2, a)", "hello, ", text(name), " (", 1.5, ")"
    flush (output_unit)
  end subroutine
end module
