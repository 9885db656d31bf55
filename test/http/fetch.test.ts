/** bridgeFetch and bridgeDispatcher: what is sent through the bridge, with which TLS, and what is refused. */
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { text } from 'node:stream/consumers'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Bridge } from '../../src/index.ts'
import { bridgeDispatcher, openBridge } from '../../src/index.ts'
import { bridgeFetch } from '../../src/fetch/index.ts'
import { freePort, root } from '../support.ts'
import { serve, startBridge } from '../bridges/bridges.ts'

const tls = {
  key: readFileSync(`${root}test/fixtures/app/key.pem`),
  cert: readFileSync(`${root}test/fixtures/app/cert.pem`),
}

async function bridgeTo(port: number): Promise<Bridge> {
  const bridge = await openBridge(await startBridge(port))
  onTestFinished(() => bridge.close())
  return bridge
}

async function bridgeToWeb(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Bridge> {
  return await bridgeTo(await serve(createHttpServer(handle)))
}

/** Answers with method, host and body, and the type that the body was sent as. */
function mirror(request: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = request
  const type = headers['content-type']?.split(';')[0] ?? 'nothing'
  void text(request).then((body) => response.end(`${method} ${headers.host} ${type} ${body}`))
}

describe('bridgeFetch', () => {
  test('sends what the global fetch sends: text, a global FormData, a global Request', async () => {
    const fetch = bridgeFetch(await bridgeToWeb(mirror))
    expect(await (await fetch('http://a.example/')).text()).toBe('GET a.example nothing ')
    const url = new URL('http://b.example/')
    expect(await (await fetch(url, { method: 'POST', body: 'hello' })).text()).toBe('POST b.example text/plain hello')
    const form = new FormData()
    form.set('name', 'value')
    const sent = await (await fetch(url, { method: 'POST', body: form })).text()
    expect(sent).toMatch(/^POST b\.example multipart\/form-data [^]*name="name"\r\n\r\nvalue\r\n/)
    const request = new Request(url, { method: 'PUT', body: '{}', headers: { 'content-type': 'application/json' } })
    expect(await (await fetch(request)).text()).toBe('PUT b.example application/json {}')
  })

  test('follows a redirect to another host through the same bridge', async () => {
    const bridge = await bridgeToWeb((request, response) => {
      if (request.headers.host === 'first.example') response.writeHead(302, { location: 'http://second.example/' })
      response.end(request.headers.host)
    })
    const response = await bridgeFetch(bridge)('http://first.example/')
    expect([response.url, await response.text()]).toEqual(['http://second.example/', 'second.example'])
  })

  test.each([
    [
      'bridgeFetch',
      async (bridge: Bridge, options?: object) => await bridgeFetch(bridge, options)('https://bridge.example/'),
    ],
    [
      'bridgeDispatcher',
      async (bridge: Bridge, options?: object) =>
        await fetch('https://bridge.example/', { dispatcher: await bridgeDispatcher(bridge, options) }),
    ],
  ])('%s takes the CA of a private service from connect, and trusts nobody else', async (_, send) => {
    const bridge = await bridgeTo(await serve(createHttpsServer(tls, (_request, response) => response.end('private'))))
    const trusting = await send(bridge, { connect: { ca: tls.cert } })
    expect(await trusting.text()).toBe('private')
    await expect(send(bridge)).rejects.toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
    const careless = await send(bridge, { connect: { rejectUnauthorized: false } })
    expect(await careless.text()).toBe('private')
  })

  test('fails with the PtError of the bridge as its cause', async () => {
    const bridge = await openBridge(`obfs3 127.0.0.1:${await freePort()}`)
    onTestFinished(() => bridge.close())
    await expect(bridgeFetch(bridge)('http://x.example/')).rejects.toMatchObject({ cause: { stage: 'connect' } })
    await bridge.close()
    await expect(bridgeFetch(bridge)('http://x.example/')).rejects.toMatchObject({ cause: { code: 'PT_STOPPED' } })
  })

  test('PT_OPTION: nothing leads around the bridge, and a bridge is what openBridge gives', async () => {
    const bridge = await bridgeToWeb(mirror)
    const connect = (): void => {}
    const around: [object, RegExp][] = [
      [{ connect }, /the option connect has to be an object of TLS options/],
      [{ connect: { lookup: connect } }, /there is no option connect\.lookup/],
      [{ connect: { socketPath: '/run/x' } }, /there is no option connect\.socketPath/],
      [{ connect: { host: '127.0.0.1' } }, /there is no option connect\.host/],
      [{ factory: connect }, /there is no option factory/],
      [{ socketPath: '/run/x' }, /there is no option socketPath/],
      [{ interceptors: { Agent: [] } }, /there is no option interceptors/],
    ]
    for (const [options, message] of around) {
      expect(() => bridgeFetch(bridge, options)).toThrow(expect.objectContaining({ code: 'PT_OPTION' }))
      expect(() => bridgeFetch(bridge, options)).toThrow(message)
      await expect(bridgeDispatcher(bridge, options)).rejects.toThrow(message)
    }
    for (const wrong of [undefined, null, 'obfs4 192.0.2.1:443', {}]) {
      expect(() => bridgeFetch(wrong as Bridge)).toThrow(/^bridgeFetch: bridge has to be what openBridge gives/)
    }
    const own = new Agent()
    const sent = bridgeFetch(bridge)('http://x.example/', { dispatcher: own } as object)
    await expect(sent).rejects.toThrow(/there is no option dispatcher/)
    await own.close()
  })
})

describe('bridgeDispatcher', () => {
  const { fetch } = globalThis
  afterEach(() => {
    globalThis.fetch = fetch
    for (const name of ['window', 'document']) Reflect.deleteProperty(globalThis, name)
    Reflect.deleteProperty(process, 'type')
  })

  test('serves undici beside the global fetch', async () => {
    const dispatcher = await bridgeDispatcher(await bridgeToWeb(mirror))
    const response = await undiciFetch('http://x.example/', { dispatcher: dispatcher as unknown as Agent })
    expect(await response.text()).toBe('GET x.example nothing ')
  })

  test('PT_RUNTIME: a fetch that is not Node’s is not given a dispatcher that it would drop', async () => {
    const bridge = await bridgeToWeb(mirror)
    const asked: unknown[] = []
    globalThis.fetch = async (url) => {
      asked.push(url)
      return new Response('from somewhere else')
    }
    await expect(bridgeDispatcher(bridge)).rejects.toMatchObject({ code: 'PT_RUNTIME' })
    // It was asked for an address of this machine, for nobody's name.
    expect(asked).toEqual(['http://127.0.0.1:65535/'])
    Reflect.deleteProperty(globalThis, 'fetch')
    await expect(bridgeDispatcher(bridge)).rejects.toThrow(/the global fetch is not Node's/)
  })

  test('PT_RUNTIME: in a page, as of jsdom or of a renderer, only bridgeFetch serves', async () => {
    const bridge = await bridgeToWeb(mirror)
    Object.assign(globalThis, { window: globalThis, document: {} })
    await expect(bridgeDispatcher(bridge)).rejects.toThrow(/the global fetch is a page's/)
    expect((await bridgeFetch(bridge)('http://x.example/')).status).toBe(200)
    for (const name of ['window', 'document']) Reflect.deleteProperty(globalThis, name)
    Object.assign(process, { type: 'renderer' })
    await expect(bridgeDispatcher(bridge)).rejects.toMatchObject({ code: 'PT_RUNTIME' })
  })
})
