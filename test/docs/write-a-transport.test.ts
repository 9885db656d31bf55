/** The guide's code is compiled against the built package's public types, and its tests are run as it says. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { root } from '../support.ts'

const run = promisify(execFile)

/** Every block of the guide that is a file: its name and its text. */
function filesOf(guide: string): Map<string, string> {
  const text = readFileSync(join(root, guide), 'utf8')
  const blocks = text.matchAll(/<!-- file: (\S+) -->\n\n```ts\n(.*?)\n```/gs)
  return new Map([...blocks].map(([, name, code]) => [name!, `${code!}\n`]))
}

/** A folder inside the package, so that its own name is found, with these files compiled in it. */
async function compile(files: Map<string, string>): Promise<string> {
  const parent = join(root, 'dist', 'guide')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(`${parent}/`)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const tsconfig = {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      rootDir: '.',
      outDir: '.',
      declaration: false,
      isolatedDeclarations: false,
      noEmitOnError: true,
    },
    include: [],
    files: [...files.keys()],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  for (const [name, code] of files) writeFileSync(join(folder, name), code)
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch((error: unknown) => {
    throw new Error(`the guide's code does not compile:\n${(error as { stdout: string }).stdout}`)
  })
  return folder
}

test('the transports of the guide compile and pass the suite as the guide runs it', { timeout: 60_000 }, async () => {
  const files = filesOf('docs/write-a-transport.md')
  expect([...files.keys()]).toEqual([
    'my-transport.ts',
    'my-transport.test.ts',
    'echo.ts',
    'greeting.ts',
    'client-address.ts',
    'datagrams.ts',
    'arguments.ts',
  ])
  expect(files.get('my-transport.ts')!.split('\n').length).toBeLessThanOrEqual(28)
  const own = files.get('my-transport.test.ts')!
  const other = own
    .replaceAll('my-transport', 'greeting')
    .replaceAll('myTransport', 'greeting')
    .replace("{ shift: 'far' }]", "{ key: '00' }], silentToProbes: true")
  files.set('greeting.test.ts', other)
  const installed = `[process.execPath, ${JSON.stringify(join(root, 'dist/cli/main.js'))}, `
  files.set('echo.ts', files.get('echo.ts')!.replace("['postern', ", installed))
  const folder = await compile(files)
  const tests = ['my-transport.test.js', 'greeting.test.js'].map((name) => join(folder, name))
  const environment = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined }
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', ...tests], { env: environment })
  expect(stdout).toMatch(/^# fail 0$/m)
  const echo = await run(process.execPath, [join(folder, 'echo.js')], { cwd: folder })
  expect(echo.stdout).toBe('through the transport and back\n')
  expect(Number(/^# pass (\d+)$/m.exec(stdout)![1])).toBeGreaterThan(75)
})
