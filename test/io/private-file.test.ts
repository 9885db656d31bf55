import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clearDrafts } from '../../src/io/files/drafts.ts'
import {
  appendPrivateLines,
  createPrivateFile,
  readPrivateFile,
  writePrivateFile,
} from '../../src/io/files/private-file.ts'
import { root, tempDir } from '../support.ts'

const run = promisify(execFile)
const modeOf = (path: string): number => statSync(path).mode & 0o777
const stateFailure = expect.objectContaining({ code: 'PT_STATE' }) as unknown
const isRoot = process.getuid?.() === 0
/** Root on Linux makes mounts in a namespace of its own, and other users' files. */
const inNamespace = test.runIf(isRoot && process.platform === 'linux')
const nobody = 65_534

/** A program that may use `files`, the functions under test, as they were built. */
function program(source: string): string[] {
  const files = JSON.stringify(`file://${root}dist/io/files/private-file.js`)
  return [process.execPath, '--input-type=module', '-e', `const files = await import(${files}); ${source}`]
}

/** What a program prints that runs after the shell commands `setup`, in a mount namespace. */
async function mounted(setup: string, source: string): Promise<string> {
  const { stdout } = await run('unshare', ['-m', 'sh', '-ec', `${setup}; exec "$@"`, 'sh', ...program(source)])
  return stdout
}

/** What a program prints that root runs without what lets it read and write everything. */
async function withoutPrivileges(source: string): Promise<string> {
  return (await run('setpriv', ['--inh-caps=-all', '--bounding-set=-all', ...program(source)])).stdout
}

describe('a private file', () => {
  test('has mode 0600, is replaced as a whole, and leaves no draft', async () => {
    const dir = tempDir()
    const file = join(dir, 'state')
    expect(await readPrivateFile(file)).toBeUndefined()
    for (const text of ['first', 'second', '']) {
      for (const durable of [true, false]) {
        await writePrivateFile(file, `${text} ${durable}`, { durable })
        expect(await readPrivateFile(file)).toBe(`${text} ${durable}`)
        expect(modeOf(file)).toBe(0o600)
      }
    }
    expect(readdirSync(dir)).toEqual(['state'])
  })

  test('that says the same already is left alone, unless others can read it', async () => {
    const file = join(tempDir(), 'state')
    await writePrivateFile(file, 'text')
    const { ino } = statSync(file)
    await writePrivateFile(file, 'text')
    expect(statSync(file).ino).toBe(ino)
    chmodSync(file, 0o644)
    await writePrivateFile(file, 'text')
    expect(modeOf(file)).toBe(0o600)
  })

  test('PT_STATE: one that cannot be read is not missing; one that cannot be written leaves no draft', async () => {
    const dir = tempDir()
    mkdirSync(join(dir, 'state'))
    await expect(readPrivateFile(join(dir, 'state'))).rejects.toMatchObject({
      code: 'PT_STATE',
      message: 'state file state cannot be read (EISDIR)',
    })
    await expect(writePrivateFile(join(dir, 'state'), 'text')).rejects.toEqual(stateFailure)
    await expect(createPrivateFile(join(dir, 'state'), 'text')).rejects.toEqual(stateFailure)
    await expect(appendPrivateLines(join(dir, 'state'), 'text\n')).rejects.toEqual(stateFailure)
    await expect(writePrivateFile(join(dir, 'no', 'state'), 'text')).rejects.toMatchObject({
      message: 'state file state cannot be written (ENOENT)',
    })
    expect(readdirSync(dir)).toEqual(['state'])
  })

  test('that several make at once is the same for all, and none is lost that was there', async () => {
    const dir = tempDir()
    const file = join(dir, 'state')
    const texts = Array.from({ length: 8 }, (_, i) => `text ${i}`)
    const [first, ...others] = await Promise.all(texts.map((text) => createPrivateFile(file, text)))
    expect(texts).toContain(first)
    expect(new Set(others)).toEqual(new Set([first]))
    expect(readFileSync(file, 'utf8')).toBe(first)
    expect(modeOf(file)).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['state'])
  })

  test('lines are appended on a line of their own, whatever an append before has left', async () => {
    const file = join(tempDir(), 'lines')
    await appendPrivateLines(file, 'one\n')
    expect(modeOf(file)).toBe(0o600)
    writeFileSync(file, 'half', { flag: 'a' })
    await appendPrivateLines(file, 'two\nthree\n')
    await appendPrivateLines(file, 'four\n')
    expect(readFileSync(file, 'utf8')).toBe('one\nhalf\ntwo\nthree\nfour\n')
  })

  test('lines that many append at once are all there', async () => {
    const file = join(tempDir(), 'lines')
    const lines = Array.from({ length: 200 }, (_, i) => `line ${i}\n`)
    await Promise.all(lines.map((line) => appendPrivateLines(file, line)))
    expect(
      readFileSync(file, 'utf8')
        .split(/(?<=\n)/)
        .toSorted(),
    ).toEqual(lines.toSorted())
  })
})

describe('a link', () => {
  test.each(['new', 'longer than before', 'x'])('of our own is written through: %j', async (text) => {
    const [dir, vault] = [tempDir(), tempDir()]
    const [link, target] = [join(dir, 'state'), join(vault, 'kept')]
    writeFileSync(target, 'old text', { mode: 0o640 })
    symlinkSync(target, link)
    const { ino } = statSync(target)
    await writePrivateFile(link, text)
    expect(readlinkSync(link)).toBe(target)
    expect(readFileSync(target, 'utf8')).toBe(text)
    expect(statSync(target)).toMatchObject({ ino, mode: 0o100640 })
    await appendPrivateLines(link, '!\n')
    expect(readFileSync(target, 'utf8')).toBe(`${text}\n!\n`)
    expect([...readdirSync(dir), ...readdirSync(vault)]).toEqual(['state', 'kept'])
  })

  test('to a file that is not there yet is kept, and the file is made where it leads', async () => {
    for (const make of [createPrivateFile, writePrivateFile, appendPrivateLines]) {
      const base = tempDir()
      const at = (path: string): string => join(base, path)
      for (const folder of ['state', 'vault', 'vault/deep']) mkdirSync(at(folder))
      symlinkSync(at('vault/deep'), at('state/deep'))
      symlinkSync('deep/../second', at('state/file'))
      symlinkSync('third', at('vault/second'))
      await make(at('state/file'), 'text\n')
      expect(readFileSync(at('vault/third'), 'utf8')).toBe('text\n')
      expect(modeOf(at('vault/third'))).toBe(0o600)
      expect(readlinkSync(at('state/file'))).toBe('deep/../second')
    }
  })

  test('PT_STATE: one that leads in a circle is an error', async () => {
    const file = join(tempDir(), 'state')
    symlinkSync(file, file)
    await expect(writePrivateFile(file, 'text')).rejects.toMatchObject({
      message: 'state file state cannot be written (ELOOP)',
    })
  })

  test.runIf(isRoot)('that another user has planted is never written through, and makes way', async () => {
    for (const target of ['victim', 'missing']) {
      const [dir, other] = [tempDir(), tempDir()]
      writeFileSync(join(other, 'victim'), 'victim')
      const plant = (name: string): string => {
        symlinkSync(join(other, target), join(dir, name))
        lchownSync(join(dir, name), nobody, nobody)
        return join(dir, name)
      }
      await writePrivateFile(plant('written'), 'text')
      if (target === 'missing') expect(await createPrivateFile(plant('made'), 'text')).toBe('text')
      await expect(appendPrivateLines(plant('lines'), 'text\n')).rejects.toEqual(stateFailure)
      // One of ours that leads to one of theirs.
      symlinkSync(plant('theirs'), join(dir, 'ours'))
      await writePrivateFile(join(dir, 'ours'), 'text').catch(() => undefined)
      expect(lstatSync(join(dir, 'written')).isFile()).toBe(true)
      expect(readFileSync(join(dir, 'written'), 'utf8')).toBe('text')
      expect(readdirSync(other)).toEqual(['victim'])
      expect(readFileSync(join(other, 'victim'), 'utf8')).toBe('victim')
    }
  })
})

describe('what cannot be replaced', () => {
  inNamespace('a file that is a mount is written as it lies, and left alone if it says the same', async () => {
    const dir = tempDir()
    const [source, file] = [join(dir, 'source'), join(dir, 'state')]
    writeFileSync(source, '{ "spaced": true }', { mode: 0o644 })
    writeFileSync(file, '')
    const mount = `mount --bind ${source} ${file}`
    await mounted(mount, `await files.writePrivateFile(${JSON.stringify(file)}, '{"s":1}')`)
    expect(readFileSync(source, 'utf8')).toBe('{"s":1}')
    await mounted(
      `${mount}; mount -o remount,bind,ro ${file}`,
      `await files.writePrivateFile(${JSON.stringify(file)}, '{"s":1}')`,
    )
    const refused = await mounted(
      `${mount}; mount -o remount,bind,ro ${file}`,
      `await files.writePrivateFile(${JSON.stringify(file)}, 'x').catch((error) => console.log(error.message))`,
    )
    expect(refused).toBe('state file state cannot be written (EROFS)\n')
    expect(readdirSync(dir).toSorted()).toEqual(['source', 'state'])
  })

  inNamespace(
    'a file of ours in a folder that we may not write is written as it lies; another user’s is not',
    async () => {
      const dir = tempDir()
      const [ours, theirs] = [join(dir, 'ours'), join(dir, 'theirs')]
      writeFileSync(ours, 'a longer text', { mode: 0o600 })
      writeFileSync(theirs, 'theirs')
      chownSync(theirs, 1, 1)
      chmodSync(theirs, 0o666)
      chmodSync(dir, 0o555)
      const said = await withoutPrivileges(
        `await files.writePrivateFile(${JSON.stringify(ours)}, 'text')
      await files.writePrivateFile(${JSON.stringify(theirs)}, 'text').catch((error) => console.log(error.message))`,
      )
      expect(readFileSync(ours, 'utf8')).toBe('text')
      expect(said).toBe('state file theirs cannot be written (EACCES)\n')
      expect(readFileSync(theirs, 'utf8')).toBe('theirs')
    },
  )

  inNamespace('on a full disk it stays as it was, whichever way it is written', async () => {
    const dir = tempDir()
    const said = await mounted(
      `mount -t tmpfs -o size=16k none ${dir}`,
      `import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
      const at = (name) => ${JSON.stringify(`${dir}/`)} + name
      for (const name of ['plain', 'target', 'lines']) writeFileSync(at(name), 'old\\n', { mode: 0o600 })
      symlinkSync(at('target'), at('link'))
      try { writeFileSync(at('filler'), Buffer.alloc(65536)) } catch {}
      const long = 'x'.repeat(10000)
      const failed = (error) => error.message
      console.log(await files.writePrivateFile(at('plain'), long).catch(failed))
      console.log(await files.writePrivateFile(at('link'), long).catch(failed))
      console.log(await files.createPrivateFile(at('first'), long).catch(failed))
      await files.writePrivateFile(at('link'), 'new')
      for (const name of ['plain', 'target']) console.log(readFileSync(at(name), 'utf8').trim())`,
    )
    expect(said.split('\n')).toEqual([
      'state file plain cannot be written (ENOSPC)',
      'state file link cannot be written (ENOSPC)',
      'state file first cannot be written (ENOSPC)',
      'old',
      'new',
      '',
    ])
  })
})

test.each(['plain', 'linked'])(
  'a %s file that is written while its process is killed holds a whole text',
  async (kind) => {
    const dir = tempDir()
    const [file, target] = [join(dir, 'state'), join(dir, 'target')]
    const texts = [JSON.stringify({ text: 'short' }), JSON.stringify({ text: 'long'.repeat(200) })]
    writeFileSync(target, texts[0]!, { mode: 0o600 })
    if (kind === 'linked') symlinkSync(target, file)
    else writeFileSync(file, texts[0]!, { mode: 0o600 })
    const [node = '', ...args] = program(
      `for (let i = 0; ; i++) { await files.writePrivateFile(${JSON.stringify(file)}, ${JSON.stringify(texts)}[i % 2]); process.stdout.write('.') }`,
    )
    for (let kills = 0; kills < 12; kills++) {
      const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      onTestFinished(() => void child.kill('SIGKILL'))
      const exit = once(child, 'exit')
      for (let written = 0; written <= kills;)
        written += String(((await once(child.stdout, 'data')) as [Buffer])[0]).length
      child.kill('SIGKILL')
      await exit
      expect(texts).toContain(readFileSync(file, 'utf8').trimEnd())
    }
    await clearDrafts(file)
    expect(readdirSync(dir).toSorted()).toEqual(['state', 'target'])
  },
)

describe('drafts', () => {
  const drafts = JSON.stringify(`file://${root}dist/io/files/drafts.js`)

  test('of a process that was killed are removed, and those of one that is still at it are not', async () => {
    const dir = tempDir()
    const file = join(dir, 'state')
    const source = `import { writeFileSync } from 'node:fs'
      const { withDraft } = await import(${drafts})
      setInterval(() => undefined, 1000)
      await withDraft(${JSON.stringify(file)}, async (draft) => {
        writeFileSync(draft, 'key')
        console.log('written')
        await new Promise(() => undefined)
      })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exit = once(child, 'exit')
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    const written = readdirSync(dir)
    expect(written).toEqual([expect.stringMatching(/^state\.\d+-[0-9a-f]{12}\.tmp$/)])
    await clearDrafts(file)
    expect(readdirSync(dir)).toEqual(written)
    child.kill('SIGKILL')
    await exit
    await clearDrafts(join(dir, 'other'))
    expect(readdirSync(dir)).toEqual(written)
    await clearDrafts(file)
    expect(readdirSync(dir)).toEqual([])
  })

  test('of this process that nobody writes any more are removed, and files that are none stay', async () => {
    const dir = tempDir()
    const none = ['state', 'state.tmp', 'state.old.tmp', 'state.0123456789ab', 'states.0123456789ab.tmp']
    const left = ['state.0123456789ab.tmp', `state.${process.pid}-0123456789ab.tmp`]
    for (const name of [...none, ...left]) writeFileSync(join(dir, name), '')
    await clearDrafts(join(dir, 'state'))
    expect(readdirSync(dir).toSorted()).toEqual(none.toSorted())
    await clearDrafts(join(dir, 'no', 'folder'))
    // Behind a link they lie where the file does.
    writeFileSync(join(dir, left[0]!), '')
    const link = join(tempDir(), 'link')
    symlinkSync(join(dir, 'state'), link)
    await clearDrafts(link)
    expect(readdirSync(dir).toSorted()).toEqual(none.toSorted())
  })

  test('one that a process with other process ids has removed is written again', async () => {
    const dir = tempDir()
    const file = join(dir, 'state')
    const source = `import { readdirSync, rmSync } from 'node:fs'
      for (let removed = 0; removed < 1;) for (const name of readdirSync(${JSON.stringify(dir)}))
        if (name.endsWith('.tmp')) { rmSync(${JSON.stringify(`${dir}/`)} + name, { force: true }); removed++ }`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: 'inherit' })
    onTestFinished(() => void child.kill('SIGKILL'))
    for (let i = 0; child.exitCode === null; i++) await writePrivateFile(file, `text ${i}`)
    expect(child.exitCode).toBe(0)
    expect(readFileSync(file, 'utf8')).toMatch(/^text \d+$/)
  })
})
