// Zig: an allocator, slices, an error, formatted output.
const std = @import("std");

var kept: ?[:0]u8 = null;
threadlocal var message: [64:0]u8 = std.mem.zeroes([64:0]u8);
const allocator = std.heap.page_allocator;

const Nothing = error{DivisionByZero};

export fn sum_squares(count: c_long) c_long {
    const values = allocator.alloc(c_long, @intCast(count)) catch return -1;
    defer allocator.free(values);
    var sum: c_long = 0;
    for (values, 1..) |*value, i| value.* = @intCast(i * i);
    for (values) |value| sum += value;
    return sum;
}

export fn repeat_word(word: [*:0]const u8, times: c_long) [*:0]const u8 {
    const slice = std.mem.span(word);
    const words = allocator.alloc([]const u8, @intCast(times)) catch return "";
    defer allocator.free(words);
    for (words) |*place| place.* = slice;
    if (kept) |old| allocator.free(old);
    kept = std.mem.joinZ(allocator, "-", words) catch return "";
    return kept.?.ptr;
}

fn divide(a: c_long, b: c_long) Nothing!c_long {
    if (b == 0) return Nothing.DivisionByZero;
    return @divTrunc(a, b);
}

export fn try_divide(a: c_long, b: c_long) c_long {
    return divide(a, b) catch {
        _ = std.fmt.bufPrint(&message, "cannot divide {d} by zero\x00", .{a}) catch return -2;
        return -1;
    };
}

export fn last_error() [*:0]const u8 {
    return &message;
}

export fn say_hello(name: [*:0]const u8) void {
    var buffer: [100]u8 = undefined;
    const line = std.fmt.bufPrint(&buffer, "hello, {s} ({d:.2})\n", .{ std.mem.span(name), 1.5 }) catch return;
    _ = std.os.linux.write(1, line.ptr, line.len);
}
