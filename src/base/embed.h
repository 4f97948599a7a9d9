/* embed.h -- builds a file under src/ into the program as a string.
 *
 *     EMBED(script_switch, "stages/switch/switch.sh");
 *
 * defines `const char script_switch[]`, terminated.  The assembler includes the file byte for byte;
 * its path is relative to the folder that the compiler runs in.  The Makefile finds these lines, so
 * each stands on a line of its own, and rebuilds the object when the file changes. */
#ifndef CRELEASE_EMBED_H
#define CRELEASE_EMBED_H

#define EMBED(name, file)                                                                          \
    __asm__(".section .rodata\n"                                                                   \
            ".global " #name "\n"                                                                  \
            ".hidden " #name "\n"                                                                  \
            ".type " #name ", %object\n" #name ":\n"                                               \
            ".incbin \"src/" file "\"\n"                                                           \
            ".byte 0\n"                                                                            \
            ".size " #name ", . - " #name "\n"                                                     \
            ".previous\n");                                                                        \
    extern const char name[] __attribute__((visibility("hidden")))

#endif
