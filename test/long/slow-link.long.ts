/** What an end does to bytes that are still on their way. */
import { expect, test } from 'vitest'
import { observe } from '../interop/observer.ts'

test('FLOW-6: 8 MiB and the end after them arrive whole over a link of 1 MB a second', async (context) => {
  const pair = { transport: 'obfs4', client: 'postern', server: 'postern', from: 'client' }
  const seen = await observe<{ unable?: string }>(context, 'slow-link.mjs', ['postern'], pair)
  if (seen.unable !== undefined) context.skip(`this kernel cannot slow a link down: ${seen.unable.trim()}`)
  expect(seen).toEqual({ count: 8 << 20, same: true })
})
