/** The table of docs/hello.md, made of captures and of a hello of ours: it has to stand in the page as it is made here. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readClientHello } from '../../src/tls/hellos/client-hello.ts'
import type { Fields } from '../../src/tls/hellos/fields.ts'
import { fieldsOf } from '../../src/tls/hellos/fields.ts'
import { sampleHello } from '../../src/tls/hellos/sample.ts'
import { profiles } from '../../src/tls/index.ts'
import { root } from '../support.ts'
import { captured } from './client-hello.ts'

/** One cell: long data by their length, and what is the browser's as `=`. */
function cell(value: string | undefined, browsers?: string): string {
  if (browsers !== undefined && value === browsers) return '='
  if (value === undefined) return '–'
  if (/^[\da-f]{41,}$/.test(value)) return `${value.length / 2} bytes`
  return value === '' ? 'empty' : value
}

test('docs/hello.md compares lyrebird’s hello, ours and the browser’s field by field', async () => {
  const browser = fieldsOf(readClientHello(captured('chromium-156-websocket')), true)
  const others = [
    fieldsOf(readClientHello(await sampleHello(profiles['chromium-websocket'])), true),
    fieldsOf(readClientHello(captured('lyrebird-0.8.1-webtunnel-absent')), true),
    fieldsOf(readClientHello(captured('lyrebird-0.8.1-webtunnel-hellochrome_auto')), true),
  ]
  const all: readonly Fields[] = [browser, ...others]
  const names = new Set(all.flatMap((fields) => Array.from(fields.keys())))
  const rows = [...names].toSorted().map((name) => {
    const theirs = browser.get(name)
    return `| ${[name, cell(theirs), ...others.map((fields) => cell(fields.get(name), theirs))].join(' | ')} |`
  })
  const page = readFileSync(join(root, 'docs/hello.md'), 'utf8').replace(/ +/g, ' ')
  const missing = rows.filter((row) => !page.includes(`\n${row.replace(/ +/g, ' ')}\n`))
  expect(missing).toEqual([])
  expect(page.match(/^\| (?!field|-)/gm)).toHaveLength(rows.length)
})
