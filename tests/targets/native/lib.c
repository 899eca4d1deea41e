/* A library: spin() -> inner(), the only name that is left of it when it is stripped is spin. */
static volatile unsigned long counter;

__attribute__((noinline)) static void inner(unsigned long turns)
{
    (void)*(void *volatile *)__builtin_frame_address(0); /* have a frame, see chain.c */
    for (unsigned long i = 0; i < turns; i++)
        counter++;
}

/* Between inner() and spin() in the file: never to be named when inner has no name of its own. */
void neighbour(void);
void neighbour(void)
{
    counter++;
}

void spin(void);
void spin(void)
{
    inner(1000000);
    counter++;
}
