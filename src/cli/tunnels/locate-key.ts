/**
 * Finds the line of a key in a TOML file, for messages: the parser tells lines of syntax errors only.
 *
 *     3  [client.web]
 *     4  listen = "127.0.0.1:9000"        ['client', 'web', 'listen'] is on line 4
 */

/** Returns the line, from 1, of the longest part of `path` that the file has; undefined if it has none of it. */
export function locateKey(text: string, path: readonly string[]): number | undefined {
  const lines = keyLines(text)
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(JSON.stringify(path.slice(0, length)))
    if (line !== undefined) return line
  }
  return undefined
}

const part = String.raw`(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')`
const dotted = String.raw`(${part}(?:\s*\.\s*${part})*)`
const header = new RegExp(String.raw`^\s*\[{1,2}\s*${dotted}\s*\]`)
const pair = new RegExp(String.raw`^\s*${dotted}\s*=`)

/** The first line of each key, and of each table that a header opens. */
function keyLines(text: string): Map<string, number> {
  const found = new Map<string, number>()
  const note = (path: readonly string[], line: number): void => {
    for (let length = path.length; length > 0; length--) {
      const key = JSON.stringify(path.slice(0, length))
      if (!found.has(key)) found.set(key, line)
    }
  }
  let table: readonly string[] = []
  let quotes: string | undefined
  for (const [at, line] of text.split('\n').entries()) {
    const inString = quotes !== undefined
    quotes = stillOpen(line, quotes)
    if (inString) continue
    const opened = header.exec(line)?.[1]
    const key = pair.exec(line)?.[1]
    if (opened !== undefined) note((table = partsOf(opened)), at + 1)
    else if (key !== undefined) note([...table, ...partsOf(key)], at + 1)
  }
  return found
}

function partsOf(text: string): string[] {
  return (text.match(new RegExp(part, 'g')) ?? []).map((one) => one.replace(/^(["'])(.*)\1$/s, '$2'))
}

/** The delimiter of a string of several lines that is open after this line. */
function stillOpen(line: string, open: string | undefined): string | undefined {
  let state = open
  for (const [delimiter] of line.matchAll(/"""|'''/g)) {
    if (state === undefined) state = delimiter
    else if (state === delimiter) state = undefined
  }
  return state
}
