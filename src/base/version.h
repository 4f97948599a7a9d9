/* version.h -- the version of crelease.  This is its only place: the Makefile reads it from here. */
#ifndef CRELEASE_VERSION_H
#define CRELEASE_VERSION_H

#define CRELEASE_VERSION "0.1.0"

#endif
