with Ada.Containers.Vectors;
with Ada.Exceptions;        use Ada.Exceptions;
with Ada.Strings.Fixed;     use Ada.Strings.Fixed;
with Ada.Strings.Unbounded; use Ada.Strings.Unbounded;
with Ada.Text_IO;           use Ada.Text_IO;

package body Program is
   package Longs is new Ada.Containers.Vectors (Positive, long);

   function At_Start return long is (long (Ada.Strings.Fixed.Count ("elaborated", "e")));

   Kept, Message : chars_ptr := Null_Ptr;
   Elaborated    : constant long := At_Start;
   Nothing       : exception;

   function Sum_Squares (Count : long) return long is
      Values : Longs.Vector;
      Sum    : long := 0;
   begin
      if Elaborated /= 2 then
         return -1;
      end if;
      for I in 1 .. Count loop
         Values.Append (I * I);
      end loop;
      for Value of Values loop
         Sum := Sum + Value;
      end loop;
      return Sum;
   end Sum_Squares;

   function Repeat_Word (Word : chars_ptr; Times : long) return chars_ptr is
      Text : Unbounded_String;
   begin
      for I in 1 .. Times loop
         if I > 1 then
            Append (Text, "-");
         end if;
         Append (Text, Value (Word));
      end loop;
      Free (Kept);
      Kept := New_String (To_String (Text));
      return Kept;
   end Repeat_Word;

   function Divide (A, B : long) return long is
   begin
      if B = 0 then
         raise Nothing with "cannot divide " & Trim (A'Image, Ada.Strings.Left) & " by zero";
      end if;
      return A / B;
   end Divide;

   function Try_Divide (A, B : long) return long is
   begin
      return Divide (A, B);
   exception
      when Error : Nothing =>
         Free (Message);
         Message := New_String (Exception_Message (Error));
         return -1;
   end Try_Divide;

   function Last_Error return chars_ptr is (Message);

   procedure Say_Hello (Name : chars_ptr) is
   begin
      Put_Line ("hello, " & Value (Name) & " (1.50)");
      Flush;
   end Say_Hello;

   function In_Threads (Count : long) return long is
      Sums : array (1 .. 4) of long := (others => 0);
   begin
      declare
         task type Worker (Index : Positive);
         task body Worker is
         begin
            Sums (Index) := (if Divide (1, long (Index) - 1) >= 0 then Sum_Squares (Count) else -1);
         exception
            when Nothing =>
               Sums (Index) := Sum_Squares (Count);
         end Worker;
         A : Worker (1);
         B : Worker (2);
         C : Worker (3);
         D : Worker (4);
      begin
         null;
      end;
      return Sums (1) + Sums (2) + Sums (3) + Sums (4);
   end In_Threads;
end Program;
