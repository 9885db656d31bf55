/** The message of whatever was thrown; never empty. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' && error !== '' ? error : 'unknown error'
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}
