// Where a connection was going before this network namespace's own address translation sent it elsewhere.
#pragma once
#include <stdint.h>
#include <sys/socket.h>

// Replaces `destination` by where the client sent its first packet. `destination` stays as it is where nothing was translated,
// or connection tracking does not know the connection.
void original_destination(int fd, struct sockaddr_storage *destination);
