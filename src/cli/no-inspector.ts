/**
 * SIGUSR1 makes Node open its debugger, to which every user of this machine can then connect; and this process holds keys of
 * bridges or their lines. Some daemons print their state at this signal, so it is sent by habit. A listener keeps it from
 * Node. This module is imported first, as Node listens from its start.
 */
process.on('SIGUSR1', () => undefined)
