/** The url of a bridge, out of a file or from the command line. */
import { optionsInFile } from '../tunnels/inputs.ts'
import { path, text } from '../tunnels/schema/kinds.ts'
import type { OptionsOf } from '../tunnels/schema/option.ts'
import { optional } from '../tunnels/schema/option.ts'
import { UsageError } from '../usage.ts'
import { parseTunnelUrl } from './tunnel-url.ts'

export interface UrlValues {
  readonly optionFile: Readonly<Record<string, string>> | undefined
  readonly url: string | undefined
}

export const urlOptions: OptionsOf<UrlValues> = {
  optionFile: optional(path(optionsInFile), 'FILE', 'has the line url=https://HOST/PATH; - is standard input'),
  url: optional(text(checked), 'URL', 'the same on the command line, which every user of the machine can read'),
}

/** The options of the bridge, of which `url` is one and right. Throws UsageError. */
export function bridgeOptions(
  command: string,
  { optionFile, url }: UrlValues,
): { readonly url: string } & Record<string, string> {
  if (url !== undefined) {
    if (optionFile === undefined) return { url }
    throw new UsageError('--url: one of --url and --option-file is enough')
  }
  if (optionFile === undefined) throw new UsageError(`${command}: --option-file is missing, which has the url`)
  const { url: kept } = optionFile
  if (kept === undefined) throw new UsageError('--option-file: there is no line url=https://HOST/PATH in it')
  try {
    return { ...optionFile, url: checked(kept) }
  } catch (error) {
    throw new UsageError(`--option-file: url: ${(error as Error).message}`)
  }
}

export function refuseSurplus([surplus]: readonly string[]): void {
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
}

function checked(url: string): string {
  parseTunnelUrl(url)
  return url
}
