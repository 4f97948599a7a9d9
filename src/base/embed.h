/* embed.h -- a file of this folder, built into the program as text.
 *
 *     EMBED(script_switch, "stages/switch/switch.sh");
 *
 * defines `const char script_switch[]`, terminated.  The assembler reads the file as it is, from
 * the folder that the compiler runs in, so what is read in the source is what runs.  The Makefile
 * reads these lines, one each, to build the object again when the file changes. */
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
