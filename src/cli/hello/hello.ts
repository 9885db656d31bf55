/** `postern hello capture` and `postern hello show`: a profile out of a browser of one's own, and what a hello or a profile says. */
import { nearestName } from '../../ipc/index.ts'
import { helpOf } from '../tunnels/schema/help.ts'
import { path, seconds, text, wholeNumber, yes } from '../tunnels/schema/kinds.ts'
import { Mistake } from '../tunnels/schema/mistake.ts'
import type { OptionsOf } from '../tunnels/schema/option.ts'
import { flagOf, optional, withDefault } from '../tunnels/schema/option.ts'
import { flagConfig, readFlags } from '../tunnels/schema/read.ts'
import { parseArguments, UsageError } from '../usage.ts'
import type { CaptureValues } from './capture.ts'
import { capture } from './capture.ts'
import type { Form } from './page.ts'
import { show } from './show.ts'

const usage = `Usage: postern hello capture [options]
       postern hello show FILE

capture makes a profile of your own browser: open the address that it prints in the browser, and wait. It listens on
127.0.0.1 and needs no network. What it writes holds no name of a host, no key and no ticket, and may be given away.
show explains FILE, which is a profile, or a ClientHello in hex or in bytes, with or without the headers of its records:
JA3, JA4, every field, and how it differs from the nearest profile of this program. Options are for capture.
`

const exitStatus =
  'Exit status: 0 if a profile was captured, or FILE could be explained, 1 if not, 2 for a wrong command line.\n'

const forms = ['websocket', 'page'] as const

const aForm = text<Form>((given) => {
  const found = forms.find((one) => one === given)
  if (found === undefined) throw new Mistake(`expected ${forms.join(' or ')}`)
  return found
})

const aName = text((given) => {
  if (!/^[\w.-]{1,64}$/.test(given)) throw new Mistake('expected a name of 1 to 64 letters, digits, dots and hyphens')
  return given
})

export const options: OptionsOf<CaptureValues & { readonly help: boolean }> = {
  form: withDefault(aForm, 'websocket', 'FORM', 'websocket, or page: what the browser is to open', {
    defaultText: 'websocket',
  }),
  out: optional(
    path((given) => given),
    'FILE',
    'writes the profile there and not to stdout; there may be no such file yet',
  ),
  name: optional(aName, 'NAME', 'the name of the profile; by default that of the browser, its version and FORM'),
  port: withDefault(wholeNumber(0, 65_535), 0, 'PORT', 'the port to listen on, or 0 for a free one', {
    defaultText: '0',
  }),
  timeout: withDefault(seconds(1, 3_600), 300_000, 'S', 'ends after so many seconds, if there are not enough hellos', {
    defaultText: '300',
  }),
  help: withDefault(yes, false, '', ''),
}

export const actions = ['capture', 'show'] as const

/** Returns the exit status. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values: given, positionals } = parseArguments({
    args: [...argv],
    options: flagConfig(options),
    allowPositionals: true,
  })
  if (given['help'] === true) {
    process.stdout.write(helpOf({ options, usage, exitStatus }))
    return 0
  }
  const [action, file, surplus] = positionals
  if (action === 'capture') {
    if (file !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(file)}`)
    return await capture(readFlags('hello capture', options, given))
  }
  if (action !== 'show') {
    const meant = nearestName(action ?? '', actions)
    if (action === undefined) throw new UsageError('hello: expected capture or show')
    throw new UsageError(`hello: there is no ${action}${meant === undefined ? '' : `; is ${meant} meant?`}`)
  }
  for (const [name, option] of Object.entries(options)) {
    if (given[flagOf(name, option)] !== undefined)
      throw new UsageError(`--${flagOf(name, option)} is for hello capture only`)
  }
  if (file === undefined) throw new UsageError('hello show: there is no FILE')
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
  process.stdout.write(await show(file))
  return 0
}
