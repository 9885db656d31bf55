// The examples of docs/api: parts of the tests below test/docs/api, so that each is run.
//
//     // example: parseClientArgs            begins one, for the section of that name
//     expect(args.get('cert')).toBe('abc')   is shown as: args.get('cert') // 'abc'
//     // end                                 ends it
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

/** Name → example, of one entry. The imports at the head of each are those names of the entry that it uses. */
export function examplesOf(entry) {
  const file = join(root, `test/docs/api/${entry.replace('/', '-')}.test.ts`)
  if (!existsSync(file)) return new Map()
  const text = readFileSync(file, 'utf8')
  const imports = [...text.matchAll(/^import (?:type )?\{ ([^}]+) \} from '(postern[^']*)'$/gm)]
  const found = text.matchAll(/^( *)\/\/ example: (\w+)\n([\s\S]*?)^ *\/\/ end$/gm)
  return new Map([...found].map(([, indent, name, code]) => [name, withImports(shown(code, indent), imports)]))
}

function shown(code, indent) {
  return code
    .split('\n')
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    .map((line) => line.replace(/^( *)expect\((.*)\)\.(?:toBe|toEqual)\((.*)\)$/, '$1$2 // $3'))
    .join('\n')
    .trimEnd()
}

function withImports(code, imports) {
  const lines = imports.flatMap(([, names, from]) => {
    const used = names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => new RegExp(`\\b${name}\\b`).test(code))
    return used.length === 0 ? [] : [`import { ${used.join(', ')} } from '${from}'`]
  })
  return [...lines, ...(lines.length === 0 ? [] : ['']), code].join('\n')
}
