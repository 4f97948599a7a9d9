/* loop_uv.h -- the loop as libuv knows it, for those that give it handles of their own.
 *
 * The only file that includes <uv.h>: everybody else sees loop.h, which has no type of libuv. */
#ifndef CRELEASE_LOOP_UV_H
#define CRELEASE_LOOP_UV_H

#include "edge/loop.h"

#include <uv.h>

/* Belongs to the loop. */
uv_loop_t *loop_uv(struct loop *loop);

#endif
