long fee(long amount);
