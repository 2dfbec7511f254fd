/* What a payment costs. VERSION is what the compiler is told; in life you would edit the file. */
#include "rules.h"

long fee(long amount)
{
#if VERSION == 1
    (void)amount;
    return 1;
#else
    return amount / 100 + 1;
#endif
}
