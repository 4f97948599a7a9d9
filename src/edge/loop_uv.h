/* loop_uv.h -- gives modules that own libuv handles access to the loop's uv_loop_t.
 *
 * This is the only file that includes <uv.h>; all others use loop.h, which has no type of libuv. */
#ifndef CRELEASE_LOOP_UV_H
#define CRELEASE_LOOP_UV_H

#include "edge/loop.h"

#include <uv.h>

/* The result belongs to the loop. */
uv_loop_t *loop_uv(struct loop *loop);

#endif
