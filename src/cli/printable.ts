/**
 * Text of other programs, files and people on its way to a terminal or a log: whatever could move the cursor, set a title, hide
 * what follows or begin a line of its own is written as an escape that can be seen.
 *
 *     a LOG line with ESC ] 0 ; t BEL and NL      becomes      \x1b]0;t\x07\n
 */

/**
 * Controls of ASCII and of Latin-1, line and paragraph separators, and what turns the direction of the text around or has no
 * width: a name with one of these reads as another.
 */
const unprintable = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

const named: Readonly<Record<string, string>> = { '\n': String.raw`\n`, '\r': String.raw`\r`, '\t': String.raw`\t` }

/** Returns `text` as one line that moves nothing on a terminal. */
export function printable(text: string): string {
  return text.replace(unprintable, (found) => named[found] ?? escaped(found))
}

/** Does the same to several lines, which stay lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/** Returns JSON without the characters that JSON allows and a terminal obeys. */
export function printableJson(json: string): string {
  return json.replace(unprintable, (found) =>
    found === '\n' ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function escaped(character: string): string {
  const code = character.charCodeAt(0)
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}
