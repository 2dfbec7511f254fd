--  Ada: containers, unbounded strings, an exception with its message, Text_IO, elaboration, a task.
with Interfaces.C;         use Interfaces.C;
with Interfaces.C.Strings; use Interfaces.C.Strings;

package Program is
   function Sum_Squares (Count : long) return long
     with Export, Convention => C, External_Name => "sum_squares";
   function Repeat_Word (Word : chars_ptr; Times : long) return chars_ptr
     with Export, Convention => C, External_Name => "repeat_word";
   function Try_Divide (A, B : long) return long
     with Export, Convention => C, External_Name => "try_divide";
   function Last_Error return chars_ptr
     with Export, Convention => C, External_Name => "last_error";
   procedure Say_Hello (Name : chars_ptr)
     with Export, Convention => C, External_Name => "say_hello";
   function In_Threads (Count : long) return long
     with Export, Convention => C, External_Name => "in_threads";
end Program;
