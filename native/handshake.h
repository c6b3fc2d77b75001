// What is known of the handshake of a connection that was accepted.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Has the kernel keep the SYN of each connection, so that `handshake_took` can say anything. For a listener.
void handshake_keep(int listener);
// How long it took, from the answer to the SYN until the connection was there, as the kernel's clock says. False where that is not
// known: the answer was repeated, or the kernel kept nothing of the SYN (SYN cookies), so that only the client knows. To be called
// once, before anything is sent.
bool handshake_took(int fd, uint32_t *us);
