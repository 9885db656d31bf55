/**
 * The fields of an HTTP/1.1 head (RFC 9110, section 5): a list in the order of the wire. Names are compared without letter case.
 *
 *     Connection: keep-alive, Upgrade        two items in one line
 *     X-Forwarded-For: 192.0.2.1             one name, two lines
 *     X-Forwarded-For: 192.0.2.2
 */

/** One line of a head: its name as it was written, and its value without the blanks around it. */
export type Field = readonly [name: string, value: string]

/** The values of all fields of this name, in order. */
export function fieldValues(fields: readonly Field[], name: string): string[] {
  const wanted = name.toLowerCase()
  return fields.filter(([one]) => one.toLowerCase() === wanted).map(([, value]) => value)
}

/** The value of the last field of this name. A front appends its own after what a client may have written. */
export function lastValue(fields: readonly Field[], name: string): string | undefined {
  return fieldValues(fields, name).at(-1)
}

/** The items of a comma list, over all fields of this name. Empty items are dropped, as RFC 9110, section 5.6.1.2, asks; quotes mean nothing. */
export function listItems(fields: readonly Field[], name: string): string[] {
  return fieldValues(fields, name)
    .flatMap((value) => value.split(','))
    .map(trimBlanks)
    .filter((item) => item !== '')
}

/** True if the comma list of this name has the item, whatever its letter case. */
export function hasItem(fields: readonly Field[], name: string, item: string): boolean {
  const wanted = item.toLowerCase()
  return listItems(fields, name).some((one) => one.toLowerCase() === wanted)
}

/** Takes spaces and tabs from both ends, in linear time. */
export function trimBlanks(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text[from])) from++
  while (to > from && isBlank(text[to - 1])) to--
  return text.slice(from, to)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}
