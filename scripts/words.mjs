// Part of npm run lint: counts the words that make our English hard to read, in comments, texts for users and pages of docs/.
//
//     where     for "if"                  behind    for "after"
//     who       without a noun before it  whoever, nobody as a subject, anew
//
//     node scripts/words.mjs [--list] [path …]     --list names each place; paths narrow what is read
//
// docs/decisions/0067-words.md says which uses are taken as good English.
import { pathToFileURL } from 'node:url'
import { filesBelow, textOf } from './titles.mjs'

/** So many are left in all, as no rule is right in every sentence. */
const LIMIT = 40

/** Verbs and nouns after which "where" asks for a place, as it should. */
const places =
  'ask|decide|decides|exactly|field|file|find|finds|folder|from|is|knew|know|knows|line|matter|page|part|place|places|point|position|quote|said|say|saying|says|see|sees|section|show|shows|table|tell|tells|to|was'

/** What a thing may be behind, as in a row of machines. */
const stands = 'CDN|NAT|bridge|dam|firewall|front|guard|nginx|port|proxies|proxy|relay|router|script|server|terminator'

/** After these words "who" asks for a person, or has its noun. Anything else before it that is no noun is found by `bare`. */
const bare =
  /(?:^|[.:;(–—"|]\s*|\b(?:a|an|and|as|asks|at|but|by|for|from|if|in|like|not|of|on|or|so|than|that|the|then|to|with|without)\s+|,\s+(?:and|but|for|of|or|to)\s+)who\b(?![^.]*\?)/gi

/** Each word, and what of a text counts as one. */
const rules = {
  where: new RegExp(`(?<!\\b(?:${places})\\s+)\\bwhere\\b(?!\\s+(?:to|from|it says)\\b)`, 'gi'),
  behind: new RegExp(
    `(?<!\\b(?:leaves?|left)\\s(?:[\\w’'-]+\\s){0,2})(?<!-)\\bbehind\\b(?!(?:\\s+[\\w’'-]+){0,3}\\s+(?:${stands})s?\\b)`,
    'gi',
  ),
  anew: /\banew\b/gi,
  whoever: /\bwhoever\b/gi,
  nobody: /\bnobody\b/gi,
  who: bare,
}

/** Comments, strings and templates of a program; regular expressions are matched so that their quotes begin nothing. */
const literals =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|(?<=(?:[(,=:[!&|?{};]|\breturn|=>)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*|`(?:\\[\s\S]|[^`\\])*`|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g

/** What people read in a program: [offset, text] of each comment and each text of two words and more. */
function proseOfProgram(text) {
  const pieces = []
  for (const { 0: found, index } of text.matchAll(literals)) {
    if (found.startsWith('/*'))
      pieces.push([index + 2, found.slice(2, -2).replace(/\n\s*\*/g, (gap) => gap.replace('*', ' '))])
    else if (found.startsWith('//')) pieces.push([index + 2, found.slice(2)])
    else if (!found.startsWith('/') && /\w \w/.test(found)) pieces.push([index + 1, found.slice(1, -1)])
  }
  return joinLines(pieces, text)
}

/** Line comments that follow each other are one text. */
function joinLines(pieces, text) {
  const joined = []
  for (const [at, piece] of pieces) {
    const last = joined.at(-1)
    const gap = last === undefined ? '' : text.slice(last[0] + last[1].length, at)
    if (last !== undefined && /^\n\s*\/\/$/.test(gap)) last[1] += `${gap.replaceAll('/', ' ')}${piece}`
    else joined.push([at, piece])
  }
  return joined
}

/** A page without its blocks of code. */
function proseOfPage(text) {
  return [[0, text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ' '))]]
}

/** The places at which a text has one of the words: { file, word, line, context } each. */
export function wordsIn(file, text) {
  const prose = file.endsWith('.md') ? proseOfPage(text) : proseOfProgram(text)
  return prose.flatMap(([at, piece]) => {
    // Text in quotes of code is a name, and no word of ours.
    const plain = piece.replace(/`[^`\n]*`|\$\{[^}\n]*\}/g, (code) => '_'.repeat(code.length))
    return Object.entries(rules).flatMap(([word, rule]) =>
      [...plain.matchAll(rule)].map(({ index, 0: found }) => ({
        file,
        word,
        line: text.slice(0, at + index + found.search(/\S/)).split('\n').length,
        context: plain.slice(Math.max(0, index - 40), index + 40).replace(/\s+/g, ' '),
      })),
    )
  })
}

/** The files whose words count. What is generated from them, and the words of the draft, do not. */
function countedFiles() {
  const left = /^(?:src\/(?:ipc\/requirements|check\/draft)\.ts|docs\/(?:conformance\/|spec-map\.md|errors\.md|api\/))/
  const pages = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')]
  return [...filesBelow('src', '.ts'), ...pages].filter((file) => !left.test(file))
}

/** All the words that count, each with its file. */
export function allWords(files = countedFiles()) {
  return files.flatMap((file) => wordsIn(file, textOf(file)))
}

function main(args) {
  const paths = args.filter((arg) => !arg.startsWith('--'))
  const files = countedFiles().filter((file) => paths.length === 0 || paths.some((path) => file.startsWith(path)))
  const words = allWords(files)
  const tooMany = words.length > LIMIT
  if (args.includes('--list') || tooMany) {
    for (const { file, line, word, context } of words) console.error(`${file}:${line}: ${word}: …${context}…`)
  }
  console.log(`words that make English hard to read: ${words.length} of ${LIMIT}`)
  if (tooMany) process.exitCode = 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2))
