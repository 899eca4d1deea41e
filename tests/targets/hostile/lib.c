/* The library that abuse.c loads: spin() takes some 10 ms. */
static volatile unsigned long counter;

__attribute__((noinline)) static void inner(unsigned long turns)
{
    for (unsigned long i = 0; i < turns; i++)
        counter++;
}

void spin(void);
void spin(void)
{
    inner(4000000);
    counter++;
}
