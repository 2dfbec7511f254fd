{ Pascal: dynamic arrays, ansistrings, an exception with its message, writeln. }
library compat;
{$mode objfpc}{$H+}

uses SysUtils;

var
  Kept, Message: string;
  Started: Integer = 0;

function SumSquares(Count: Int64): Int64; cdecl;
var
  Values: array of Int64;
  I: Int64;
begin
  if Started <> 42 then Exit(-1);
  SetLength(Values, Count);
  for I := 1 to Count do Values[I - 1] := I * I;
  Result := 0;
  for I in Values do Result := Result + I;
end;

function RepeatWord(Word: PChar; Times: Int64): PChar; cdecl;
var
  I: Int64;
begin
  Kept := '';
  for I := 1 to Times do begin
    if I > 1 then Kept := Kept + '-';
    Kept := Kept + StrPas(Word);
  end;
  Result := PChar(Kept);
end;

function Divide(A, B: Int64): Int64;
begin
  if B = 0 then raise EDivByZero.CreateFmt('cannot divide %d by zero', [A]);
  Result := A div B;
end;

function TryDivide(A, B: Int64): Int64; cdecl;
begin
  try
    Result := Divide(A, B);
  except
    on Error: EIntError do begin
      Message := Error.Message;
      Result := -1;
    end;
  end;
end;

function LastError: PChar; cdecl;
begin
  Result := PChar(Message);
end;

procedure SayHello(Name: PChar); cdecl;
begin
  WriteLn('hello, ', Name, ' (', 1.5:0:2, ')');
  Flush(Output);
end;

exports
  SumSquares name 'sum_squares', RepeatWord name 'repeat_word', TryDivide name 'try_divide',
  LastError name 'last_error', SayHello name 'say_hello';

begin
  Started := 42;
end.
