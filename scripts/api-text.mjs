// Comments of the sources as Markdown.
//
//     sentences, `names`, - lists        stay as they are, with what Markdown would read as its own escaped
//     lines that are indented by four    become a block of code: pictures of bytes, programs

/** Text outside of `code` with everything escaped that Markdown would take for its own. */
export function withCode(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replace(/[\\*<>[\]|]|(?<!\w)_|_(?!\w)/g, '\\$&')))
    .join('')
}

/** A comment as blocks of Markdown. */
export function proseToMarkdown(text = '') {
  const blocks = []
  for (const line of text.split('\n')) {
    const isCode = /^ {4}/.test(line)
    const last = blocks.at(-1)
    if (line.trim() === '') {
      if (last?.isCode) last.lines.push('')
      else if (last !== undefined) last.isOver = true
    } else if (last !== undefined && last.isCode === isCode && !last.isOver) last.lines.push(line)
    else blocks.push({ isCode, lines: [line], isOver: false })
  }
  return blocks.map(({ isCode, lines }) => (isCode ? codeBlock(lines) : withCode(lines.join('\n').trim())))
}

function codeBlock(lines) {
  const used = lines.filter((line) => line.trim() !== '')
  const indent = Math.min(...used.map((line) => /^ */.exec(line)[0].length))
  return `\`\`\`\n${lines
    .map((line) => line.slice(indent))
    .join('\n')
    .trimEnd()}\n\`\`\``
}
