/** `postern completion bash|zsh|fish`: what the shell offers after `postern`, from the options that commands have. */
import { flagConfig } from './tunnels/schema/read.ts'
import { parseArguments, UsageError } from './usage.ts'

const help = `Usage: postern completion bash|zsh|fish

  bash   eval "$(postern completion bash)"                                    in ~/.bashrc
  zsh    postern completion zsh > "\${fpath[1]}/_postern"
  fish   postern completion fish > ~/.config/fish/completions/postern.fish
`

const shells = { bash, zsh, fish } as const

/** Words that may follow each command. */
type Words = Readonly<Record<string, readonly string[]>>

/** Options whose value is the name of a file or a folder. */
const files: readonly string[] = [
  '--file',
  '--out',
  '--proxy-file',
  '--option-file',
  '--secret-file',
  '--state-dir',
  '--exec',
  '--load',
  '--cert',
  '--key',
  '--root',
]

export async function run(argv: readonly string[]): Promise<number> {
  const options = { help: { type: 'boolean', short: 'h' } } as const
  const { values, positionals } = parseArguments({ args: [...argv], options, allowPositionals: true })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [shell = '', surplus] = positionals
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
  if (!Object.hasOwn(shells, shell))
    throw new UsageError(`completion: expected one of ${Object.keys(shells).join(', ')}`)
  process.stdout.write(shells[shell as keyof typeof shells](await wordsOfCommands()))
  return 0
}

async function wordsOfCommands(): Promise<Words> {
  const [client, server, run, bridge, hello, webtunnel, pt, demo] = await Promise.all([
    import('./client.ts'),
    import('./server.ts'),
    import('./run.ts'),
    import('./bridge.ts'),
    import('./hello/hello.ts'),
    import('./webtunnel/webtunnel.ts'),
    import('./pt.ts'),
    import('./demo/demo.ts'),
  ])
  const [{ builtIns }, { frontNames }] = await Promise.all([
    import('../transports/index.ts'),
    import('./webtunnel/fronts.ts'),
  ])
  const flagsOf = (config: object): string[] => Object.keys(config).map((name) => `--${name}`)
  return {
    pt: flagsOf(pt.options),
    client: flagsOf(flagConfig(client.options)),
    server: [...builtIns.map(({ name }) => name), ...flagsOf(flagConfig(server.options))],
    run: flagsOf(flagConfig(run.options)),
    bridge: [...bridge.actions, ...flagsOf(flagConfig(bridge.options))],
    hello: [...hello.actions, ...flagsOf(flagConfig(hello.options))],
    webtunnel: [...webtunnel.actions, ...frontNames, ...flagsOf(flagConfig(webtunnel.options))],
    completion: Object.keys(shells),
    demo: flagsOf(demo.options),
  }
}

function bash(words: Words): string {
  const cases = Object.entries(words).map(([command, list]) => `    ${command}) words='${list.join(' ')}' ;;\n`)
  return `_postern() {
  local words='${Object.keys(words).join(' ')} --help --version' current="\${COMP_WORDS[COMP_CWORD]}"
  if [[ " ${files.join(' ')} " == *" \${COMP_WORDS[COMP_CWORD-1]} "* ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  if ((COMP_CWORD > 1)); then case "\${COMP_WORDS[1]}" in
${cases.join('')}    *) words='' ;;
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ \${COMP_WORDS[1]} == run && $current != -* ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -F _postern postern
`
}

function zsh(words: Words): string {
  const cases = Object.entries(words).map(([command, list]) => `    ${command}) compadd -- ${list.join(' ')} ;;\n`)
  return `#compdef postern
_postern() {
  if ((CURRENT == 2)); then
    compadd -- ${Object.keys(words).join(' ')} --help --version
    return
  fi
  case "\${words[CURRENT-1]}" in
    ${files.join('|')}) _files; return ;;
  esac
  case "\${words[2]}" in
${cases.join('')}  esac
  [[ \${words[2]} == run ]] && _files
}
if [[ "\${funcstack[1]}" == _postern ]]; then _postern "$@"; else compdef _postern postern; fi
`
}

function fish(words: Words): string {
  const lines = Object.entries(words).flatMap(([command, list]) => {
    const where = `complete -c postern -n '__fish_seen_subcommand_from ${command}'`
    return list.map((word) => {
      if (!word.startsWith('--')) return `${where} -a ${word}`
      return `${where} -l ${word.slice(2)}${files.includes(word) ? ' -r -F' : ''}`
    })
  })
  const first = `complete -c postern -f -n __fish_use_subcommand -a '${Object.keys(words).join(' ')}'`
  return `${[first, ...lines, "complete -c postern -n '__fish_seen_subcommand_from run' -F"].join('\n')}\n`
}
