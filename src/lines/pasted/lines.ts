/**
 * Finds bridge lines in what people have in clipboards and files. Text that can be read in one way only is read; all else is
 * left as it is, so that lint can say what is wrong with it.
 *
 *     obfs4 192.0.2.7:443 cert=… iat-mode=0                    a list, with blank lines and # comments
 *     Bridge obfs4 192.0.2.7:443 \                             torrc, whose other options are passed over
 *     ['obfs4 …', "obfs4 …"]   {"bridge_strings":["obfs4 …"]}  QR codes, moat, prefs.js, TOML
 *     bridge://obfs4+192.0.2.7%3A443+cert%3D…                  links
 *     > 1. `obfs4 …`   <code>obfs4 …</code><br>                mail, chats and pages; lines that a mail program has broken
 */
import { PtError } from '../../error.ts'
import { nearestName } from '../../ipc/index.ts'
import { lintBridgeLine } from '../lint.ts'
import { splitBridgeLine } from '../bridge-line.ts'
import { knownTransports } from '../known-transports.ts'
import { jsonStrings, quotedStrings } from './quoted.ts'
import { plainText } from './text.ts'

const COUNT_LIMIT = 10_000

/**
 * The bridge lines of `input`, in order, not checked. If some are found, prose around them is left out; if none is, every line
 * comes back that is neither empty nor a comment. Throws PT_BRIDGE_LINE for what is too long to be a list of them.
 */
export function readBridgeLines(input: string | Uint8Array): string[] {
  const text = plainText(input)
  const lines = (jsonStrings(text)?.join('\n') ?? text).replace(/\\\n(?:[ \t]*#[^\n]*\n)*/g, ' ').split('\n')
  if (lines.length > COUNT_LIMIT) {
    throw new PtError('PT_BRIDGE_LINE', `it has more than ${COUNT_LIMIT} lines`, { stage: 'argument' })
  }
  const bare = lines.map(withoutMarkers)
  const torrc = bare.some((line) => /^(?:bridge|usebridges|clienttransportplugin|servertransportplugin)\s/i.test(line))
  const found = bare
    .filter((line) => line !== '' && !line.startsWith('#') && !(torrc && isTorrcOption(line)))
    .flatMap((line) => linesOf(line))
  const joined = joinBroken(found)
  return joined.some(isBridgeLine) ? joined.filter(isAttempt) : joined
}

/** Removes the marks of mail (>, |), lists (- * 1.) and Markdown (`, **) at both ends. A # after them is still a comment. */
function withoutMarkers(line: string): string {
  const quoted = line.trim().replace(/^(?:[>|]\s*)+/, '')
  const item = quoted.replace(/^(?:[-*+\u2022\u00b7\u2013\u2014]|\d{1,3}[.)])\s+/, '')
  const [, marks = ''] = /^(`{1,3}|\*{2})/.exec(item) ?? []
  const inner =
    marks !== '' && item.endsWith(marks) && item.length > marks.length ? item.slice(marks.length, -marks.length) : item
  return (inner.endsWith('|') ? inner.slice(0, -1) : inner).trim()
}

/** True for an option of torrc other than Bridge. Their names are in capitals and small letters, which transports are not. */
function isTorrcOption(line: string): boolean {
  const [word = ''] = line.split(/\s/, 1)
  if (/^bridge$/i.test(word) || nearestName(word, knownTransports) !== undefined) return false
  return /^(?:[+/]?[A-Z_]\w*[a-z]\w*|%include|usebridges|clienttransportplugin|servertransportplugin)$/.test(word)
}

/** Returns the bridge lines of one line: one, or those in quotation marks, in links, or one after the other. */
function linesOf(given: string): string[] {
  // In torrc a # starts a comment wherever it stands.
  const line = /^bridge\s/i.test(given) ? given.replace(/#.*/, '').trimEnd() : given
  const quoted = quotedStrings(line)
    .flatMap((text) => text.split('\n'))
    .filter(isBridgeLine)
  const links =
    line
      .match(/(?<![\w:/])bridge:(?:\/\/)?[^\s"'`<>]+/gi)
      ?.map(fromLink)
      .filter(isBridgeLine) ?? []
  if (quoted.length > 0 || links.length > 0) return [...quoted, ...links].flatMap(apart)
  return apart(line)
}

/** Reads a link. Spaces are + in most links; if they are %20, a + belongs to base64. */
function fromLink(link: string): string {
  const text = link.replace(/^bridge:(?:\/\/)?/i, '')
  try {
    return decodeURIComponent(/%20/.test(text) ? text : text.replaceAll('+', ' ')).trim()
  } catch {
    return text
  }
}

/** Matches the end of an argument and the start of another line that run together, because a line break was lost. */
const glued = new RegExp(String.raw`^(iat-mode=[0-2])((?:bridge)?)(${knownTransports.join('|')})?$`, 'i')

/** Cuts before each name of a transport that an address follows; no field of a bridge line is such a name. */
function apart(line: string): string[] {
  const fields = line.split(/\s+/)
  const lines: string[][] = [[]]
  for (const [at, field] of fields.entries()) {
    const current = lines.at(-1)!
    const [, end, keyword, name] = glued.exec(field) ?? []
    if (end !== undefined && (name !== undefined ? isAddress(fields[at + 1]) : keyword !== '')) {
      current.push(end)
      lines.push(name === undefined ? [] : [name])
    } else if (/^bridge$/i.test(field) && current.length > 2 && isStart(fields, at + 1)) lines.push([field])
    else if (current.length > 2 && isStart(fields, at)) lines.push([field])
    else current.push(field)
  }
  return lines.length === 1 ? [line] : lines.map((one) => one.join(' '))
}

function isStart(fields: readonly string[], at: number): boolean {
  return knownTransports.includes(fields[at] ?? '') && isAddress(fields[at + 1])
}

function isAddress(field: string | undefined): boolean {
  return field !== undefined && /^(?:\[[0-9a-f:.%\w]{2,60}\]|[\w.-]{1,255}):\d{1,5}$/i.test(field)
}

/** True for a text that begins as a bridge line does: the name of a transport, then an address or a placeholder for one. */
function isBridgeLine(line: string): boolean {
  const { transport, address = '' } = splitBridgeLine(line.slice(0, 512))
  if (transport === undefined) return false
  const known = nearestName(transport, knownTransports) !== undefined
  return isAddress(address) && (known || /[\d\]]:\d+$/.test(address)) ? true : known && /^<[^<>]*>/.test(address)
}

/** True for a line that is meant as a bridge line, however wrong it is: it has an address, a placeholder or an argument. */
function isAttempt(line: string): boolean {
  const fields = line.split(/\s+/, 40)
  const known = nearestName(fields[0] ?? '', knownTransports) !== undefined
  const keyword = /^bridge$/i.test(fields[0] ?? '') && nearestName(fields[1] ?? '', knownTransports) !== undefined
  if (isBridgeLine(line) || keyword || fields.some((_, at) => isStart(fields, at))) return true
  if (known && /^\[?[\d.:a-f]{7,45}\]?$/i.test(fields[1] ?? '')) return true
  // `Content-Type: text/plain; charset=utf-8`
  if (/^[A-Za-z-]{2,40}:\s/.test(line)) return false
  return fields.some(
    (field) => /^[a-z][a-z0-9_-]{0,30}=\S/i.test(field) || /^\[?[\d.:a-f]{3,45}\]?:\d{1,5}$/i.test(field),
  )
}

/** How many pieces of one line are put together again, and how long a list may be for it. */
const PIECES = 4
const JOIN_LIMIT = 1_000

/** Joins a line that was broken to those after it, with a space or without, if only one way makes a line without a fault. */
function joinBroken(lines: readonly string[]): string[] {
  if (lines.length > JOIN_LIMIT) return [...lines]
  const joined: string[] = []
  for (let at = 0; at < lines.length; at++) {
    const whole = isBridgeLine(lines[at]!) ? wholeLine(lines, at) : undefined
    joined.push(whole?.text ?? lines[at]!)
    at += (whole?.pieces ?? 1) - 1
  }
  return joined
}

function wholeLine(lines: readonly string[], at: number): { text: string; pieces: number } | undefined {
  let candidates = [lines[at]!]
  if (isSound(candidates[0]!)) return undefined
  for (let pieces = 2; pieces <= PIECES; pieces++) {
    const next = lines[at + pieces - 1]
    if (next === undefined || isBridgeLine(next) || next.length > 1_000) return undefined
    candidates = candidates.flatMap((text) => [`${text}${next}`, `${text} ${next}`])
    const [text, another] = candidates.filter(isSound)
    if (text !== undefined) return another === undefined ? { text, pieces } : undefined
  }
  return undefined
}

/** True if the line has no fault except in its address, and its transport is one whose arguments we can judge. */
function isSound(line: string): boolean {
  const { transport, address, args } = splitBridgeLine(line)
  if (transport === undefined || !isAddress(address) || args.length === 0) return false
  return !lintBridgeLine(line).some(({ severity, field }) => severity === 'error' && field !== 'address')
}
