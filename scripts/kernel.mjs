// The kernels: AssemblyScript of assembly/ to WebAssembly, which lies in the sources as modules of base64, so that they run without a
// build. With --check it writes nothing, and fails where a module is not what would be written. With --traced and an entry it prints a
// module that calls out at each access to memory and at each place where its code divides; for tests.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

const folder = join(root, 'assembly')
const options = ['--enable', 'bulk-memory', '-O3', '--noAssert', '--runtime', 'stub']

/** Their memory does not grow: to grow would take it away from all that look at it. */
const kernels = [
  {
    entry: 'frames.ts',
    name: 'frameKernelBase64',
    target: 'src/transports/obfs4/frames/binary.ts',
    /** 16 MiB */
    pages: 256,
    options: ['--enable', 'simd'],
  },
  {
    entry: 'elligator2.ts',
    name: 'elligatorKernelBase64',
    target: 'src/crypto/elligator2/binary.ts',
    /** 128 KiB, which the table of multiples and what it is made of need */
    pages: 2,
    options: [],
  },
  {
    entry: 'hmac.ts',
    name: 'hmacKernelBase64',
    target: 'src/crypto/hmac/binary.ts',
    pages: 1,
    options: [],
  },
]

/** The module of a kernel, as the sources make it. */
async function compile(kernel, more = []) {
  const { default: asc } = await import('assemblyscript/asc')
  const { secretbox } = await import('../assembly/secretbox.mjs')
  const { field25519 } = await import('../assembly/field25519.mjs')
  const written = new Map([
    ['secretbox.ts', secretbox],
    ['field25519.ts', field25519],
  ])
  const pages = String(kernel.pages)
  const memory = ['--initialMemory', pages, '--maximumMemory', pages]
  let binary
  const { error } = await asc.main(
    [kernel.entry, '--outFile', 'kernel.wasm', ...options, ...kernel.options, ...memory, ...more],
    {
      readFile: (name) => written.get(name) ?? readOr(join(folder, name)),
      writeFile: (_name, bytes) => (binary = bytes),
      listFiles: () => [],
      stderr: process.stderr,
    },
  )
  if (error) throw new Error(`${kernel.entry} cannot be compiled: ${error.message}`)
  return Buffer.from(binary).toString('base64')
}

function readOr(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The compiler tries several names for what a module imports.
    return null
  }
}

function moduleText(name, base64) {
  return `// Written by scripts/kernel.mjs from assembly/; change those instead.\nexport const ${name}: string =\n  '${base64}'\n`
}

async function update(kernel, check) {
  const text = moduleText(kernel.name, await compile(kernel))
  const target = join(root, kernel.target)
  if (!check) writeFileSync(target, text)
  else if (readOr(target) !== text) {
    console.error(`${kernel.target} is stale: npm run kernel writes it`)
    process.exitCode = 1
  }
}

const [mode, entry] = process.argv.slice(2)
if (mode === '--traced') {
  const kernel = kernels.find((one) => one.entry === entry)
  process.stdout.write(await compile(kernel, ['--runPasses', 'instrument-memory,log-execution']))
} else {
  for (const kernel of kernels) await update(kernel, mode === '--check')
}
