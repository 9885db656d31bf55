/**
 * How long a handshake of the Extended ORPort may take by default, at either end, in ms. goptlib's clients wait for 5 s. But an
 * application whose process is busy or stopped for some seconds is no reason to lose its bridge's users, who wait anyway.
 */
export const HANDSHAKE_TIMEOUT = 30_000
