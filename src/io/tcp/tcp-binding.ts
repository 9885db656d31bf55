/**
 * What net.Socket is made of: a TCP handle of libuv and the requests that it takes. Node shows them by process.binding() only,
 * which is deprecated. If that is gone, refused or has changed, there are no handles, and connections are net.Socket.
 * docs/decisions/0030-tcp-handles.md says what is gained.
 */
import { isPlain } from '../../plain.ts'

/** Its functions return 0, or an error of the system as a negative number. */
export interface TcpHandle {
  onread: (this: TcpHandle) => void
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, pieces: readonly Uint8Array[], allBuffers: true): number
  /** Returns 1 if it was done at once. */
  shutdown(request: Request): number
  connect(request: Request, host: string, port: number): number
  connect6(request: Request, host: string, port: number): number
  bind(host: string, port: number): number
  bind6(host: string, port: number, flags: number): number
  setNoDelay(on: boolean): number
  /** Seconds. Node before 26 takes the first two only. */
  setKeepAlive(on: boolean, idle: number, interval: number, count: number): number
  getpeername(into: { address?: string; port?: number }): number
  ref(): void
  unref(): void
  close(): void
  /** Closes the connection with a reset. libuv refuses that during a shutdown, and Node then does not close it either. */
  reset(): number
}

interface Request {
  oncomplete: (this: Request, status: number) => void
}

export interface WriteRequest extends Request {
  /** Keeps the bytes from being collected before the system has taken them. */
  bytes?: unknown
}

export interface TcpBinding {
  readonly TCP: new (type: number) => TcpHandle
  readonly SOCKET: number
  readonly ConnectRequest: new () => Request
  readonly WriteRequest: new () => WriteRequest
  readonly ShutdownRequest: new () => Request
  /** The length of the read that onread() is called for, or an error of the system. */
  lastRead(): number
  /** True if the last write was not taken at once. */
  lastWriteWaits(): boolean
}

/** The part of Node's bindings that is used here. */
interface Raw {
  readonly TCP: TcpBinding['TCP']
  readonly TCPConnectWrap: TcpBinding['ConnectRequest']
  readonly constants: { readonly SOCKET: number }
  readonly WriteWrap: TcpBinding['WriteRequest']
  readonly ShutdownWrap: TcpBinding['ShutdownRequest']
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

const methods: readonly (keyof TcpHandle)[] = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeBuffer',
  'writev',
  'shutdown',
  'connect',
  'connect6',
  'bind',
  'bind6',
  'setNoDelay',
  'setKeepAlive',
  'getpeername',
  'ref',
  'unref',
  'close',
  'reset',
]

/** The versions of Node that this was tried on. A later one may warn of it, or mean something else by it. */
const KNOWN = { from: 20, to: 26 }

let found: { readonly binding: TcpBinding | undefined } | undefined

/**
 * Gives the binding; undefined if this Node shows none, or another one. It is looked for when the first connection needs it, so
 * process.binding() is not called in an application that only imports this package.
 */
export function tcpBinding(): TcpBinding | undefined {
  found ??= { binding: findBinding() }
  return found.binding
}

function findBinding(): TcpBinding | undefined {
  const version = Number.parseInt(process.versions.node, 10)
  if (isPlain() || version < KNOWN.from || version > KNOWN.to || wantsNothingDeprecated()) return undefined
  try {
    const node = process as unknown as { binding(name: string): object }
    const raw = { ...node.binding('tcp_wrap'), ...node.binding('stream_wrap') } as Raw
    return isUsable(raw) ? bindingOf(raw) : undefined
  } catch {
    return undefined
  }
}

/** True if the process would warn of what is deprecated, or throw. Node takes its options with underscores as well. */
function wantsNothingDeprecated(): boolean {
  const { NODE_OPTIONS = '', NODE_PENDING_DEPRECATION } = process.env
  const given = [...process.execArgv, ...NODE_OPTIONS.split(/[\s"]+/)]
  const asked = given.some((flag) => /^--(?:pending|throw)[-_]deprecation$/.test(flag))
  return (
    asked || NODE_PENDING_DEPRECATION === '1' || (process as { throwDeprecation?: boolean }).throwDeprecation === true
  )
}

function isUsable({ TCP, TCPConnectWrap, constants, WriteWrap, ShutdownWrap, ...state }: Raw): boolean {
  const classes = [TCP, TCPConnectWrap, WriteWrap, ShutdownWrap]
  const numbers = [constants.SOCKET, state.kReadBytesOrError, state.kLastWriteWasAsync]
  const places = state.streamBaseState
  if (classes.some((one) => typeof one !== 'function') || numbers.some((one) => !Number.isInteger(one))) return false
  if (!(state.kReadBytesOrError in places && state.kLastWriteWasAsync in places)) return false
  return methods.every((name) => typeof (TCP.prototype as TcpHandle)[name] === 'function')
}

function bindingOf(raw: Raw): TcpBinding {
  const { streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = raw
  return {
    TCP: raw.TCP,
    SOCKET: raw.constants.SOCKET,
    ConnectRequest: raw.TCPConnectWrap,
    WriteRequest: raw.WriteWrap,
    ShutdownRequest: raw.ShutdownWrap,
    lastRead: () => streamBaseState[kReadBytesOrError]!,
    lastWriteWaits: () => streamBaseState[kLastWriteWasAsync] !== 0,
  }
}
