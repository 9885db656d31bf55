/**
 * Events whose listeners are each on their own. A listener of Node's EventEmitter that throws keeps the next one from being
 * told, and its exception lands in whatever code emitted the event: here in the middle of a connection or of a restart.
 */
import { EventEmitter } from 'node:events'
import { throwLater } from '../io/wait/throw-later.ts'

/** An EventEmitter in which the exception of a listener is an uncaught exception of the process, after all were told. */
export class Emitter<Events extends Record<keyof Events, unknown[]>> extends EventEmitter<Events> {
  constructor() {
    super()
    const tell = (event: string | symbol, ...args: unknown[]): boolean => {
      // Raw listeners: one that once() has added removes itself as it is called.
      const listeners = EventEmitter.prototype.rawListeners.call(this, event)
      for (const listener of listeners) {
        try {
          Reflect.apply(listener, this, args)
        } catch (error) {
          throwLater(error)
        }
      }
      return listeners.length > 0
    }
    this.emit = tell as typeof this.emit
  }
}
