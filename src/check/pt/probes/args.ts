/** Probes of per-connection arguments. Section "Per-Connection Arguments". */
import { expectArrival, workingBridge } from '../bridge.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell, notApplicable } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import { joined } from '../pt-lab.ts'
import type { SocksOutcome } from '../socks.ts'
import { socks4 } from '../socks.ts'

const role = 'client'

/** Puts so much padding before `args` that both together have `length` bytes; the cut is then in the needed part. */
function padded(args: string, length: number): string {
  const room = length - args.length - (args === '' ? 0 : 1)
  return room < 5 ? '' : joined(`pad=${'x'.repeat(room - 4)}`, args)
}

export const argsProbes: readonly Probe<PtLab>[] = [
  {
    ids: ['ARGS-1'],
    role,
    title: 'arguments of every length arrive',
    async run(lab) {
      const made = await workingBridge(lab)
      if (made.client.method.protocol !== 'socks5') notApplicable('it announces SOCKS 4; ARGS-3 is about that')
      await expectArrival(lab, made, made.args, 'a request byte by byte', { trickle: true })
      const none = await lab.dial(made.client, made.address, '')
      const answered = none.granted || !none.seen.endsWith('(nothing)') || none.wire.ended
      lab.judge(answered, made.client, 'an answer', { sent: 'a request without arguments: method 00', seen: none.seen })
      const some = await lab.dial(made.client, made.address, joined('pad=x', made.args))
      if (!some.granted) cannotTell(`its transport takes no argument that it does not know: ${some.seen}`)
      await expectArrival(lab, made, joined('pad=a\\;b\\=c\\\\', made.args), 'a value with escapes')
      for (const length of [255, 256, 510]) {
        const args = padded(made.args, length)
        if (args === '') continue
        await expectArrival(
          lab,
          made,
          args,
          `${length} bytes of arguments in UNAME${length > 255 ? ' and PASSWD' : ''}`,
        )
      }
    },
  },
  {
    ids: ['ARGS-3'],
    role,
    title: 'in SOCKS 4 arguments arrive in USERID',
    async run(lab) {
      const made = await workingBridge(lab)
      const wire = (await lab.open(made.client.method.address)) ?? cannotTell('its port does not accept')
      const outcome = await socks4(wire, made.address, made.args, { patience: lab.patience })
      const answered = /reply 00 5[a-d]/.test(outcome.seen)
      if (!answered && made.client.method.protocol === 'socks5')
        notApplicable('it announces SOCKS 5, and serves no other')
      const arrived = await made.arrives({ wire, ...outcome })
      lab.judge(arrived, made.client, 'a granted request, and traffic', {
        sent: 'a SOCKS 4 request',
        seen: outcome.seen,
      })
      const slow = (await lab.open(made.client.method.address)) ?? cannotTell('its port does not accept')
      const trickled = await socks4(slow, made.address, made.args, { trickle: true, patience: lab.patience })
      lab.judge(await made.arrives({ wire: slow, ...trickled }), made.client, 'a granted request, and traffic', {
        sent: 'a SOCKS 4 request byte by byte',
        seen: trickled.seen,
      })
    },
  },
  {
    ids: ['ARGS-6'],
    role,
    title: 'malformed arguments fail the request, and nothing is dialled',
    async run(lab) {
      const made = await workingBridge(lab)
      const before = made.count()
      const ends = ['novalue', '=nokey', 'k=v\\'].map((bad) => [joined(made.args, bad), bad] as const)
      for (const [args, bad] of [['x', 'x'] as const, ...ends]) {
        const { granted, seen } = await lab.dial(made.client, made.address, args)
        const sent = `arguments that ${args === bad ? 'are' : 'end in'} ${JSON.stringify(bad)}`
        lab.judge(!granted, made.client, 'a request that fails', { sent, seen })
      }
      const dialled = made.count() - before
      lab.judge(dialled === 0, made.client, 'no connection to the bridge', { seen: `${dialled} connections` })
    },
  },
  {
    ids: ['ARGS-6'],
    role,
    title: 'malformed arguments in USERID fail the request',
    async run(lab) {
      const made = await workingBridge(lab)
      const ask = async (args: string): Promise<SocksOutcome> => {
        const wire = (await lab.open(made.client.method.address)) ?? cannotTell('its port does not accept')
        return await socks4(wire, made.address, args, { patience: lab.patience })
      }
      if (!(await ask(made.args)).granted) notApplicable('it grants no request of SOCKS 4')
      const { granted, seen } = await ask(joined(made.args, 'novalue'))
      lab.judge(!granted, made.client, 'a request that fails', {
        sent: 'a SOCKS 4 request with arguments that end in "novalue"',
        seen,
      })
    },
  },
]
