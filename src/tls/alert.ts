/**
 * Alerts (RFC 8446, section 6), and the error of a connection that one of them ends.
 *
 *     level u8 | description u8         the level means nothing in TLS 1.3 and is 1 with close_notify and user_canceled alone
 */
import type { PtErrorCode } from '../error.ts'
import { PtError } from '../error.ts'
import type { DialStage } from '../failure.ts'

const alertNumbers = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  internal_error: 80,
  user_canceled: 90,
  missing_extension: 109,
  unsupported_extension: 110,
} as const

export type AlertName = keyof typeof alertNumbers

/** Names of alerts that only servers send. They serve the messages of errors. */
const serversAlerts: Readonly<Record<number, string>> = {
  44: 'certificate_revoked',
  49: 'access_denied',
  71: 'insufficient_security',
  86: 'inappropriate_fallback',
  112: 'unrecognized_name',
  113: 'bad_certificate_status_response',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
}

/** The name of an alert that came, or its number. */
export function alertName(number: number): string {
  const known = Object.entries(alertNumbers).find(([, value]) => value === number)?.[0]
  return known ?? serversAlerts[number] ?? `alert ${number}`
}

/** The two bytes of an alert that we send. */
export function alertBytes(alert: AlertName): Buffer {
  return Buffer.of(alert === 'close_notify' ? 1 : 2, alertNumbers[alert])
}

/** What a peer did that ends the connection, and the alert that tells the peer so. It is a PtError like every other. */
export class TlsFault extends PtError {
  readonly alert: AlertName

  constructor(alert: AlertName, message: string, options: TlsFaultOptions = {}) {
    const { code = 'PT_TLS', stage = 'tls', cause } = options
    super(code, message, { stage, ...(cause === undefined ? {} : { cause }) })
    this.alert = alert
  }
}

export interface TlsFaultOptions {
  readonly code?: PtErrorCode
  readonly stage?: DialStage
  readonly cause?: unknown
}

/** A certificate that does not prove who the server is. */
export function certificateFault(alert: AlertName, message: string, cause?: unknown): TlsFault {
  return new TlsFault(alert, message, { code: 'PT_CERTIFICATE', stage: 'certificate', cause })
}
