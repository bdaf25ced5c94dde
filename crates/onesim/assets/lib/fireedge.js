'use strict'

// A simulated FireEdge: the login page, the login call, a few API calls, the two WebSocket paths.
// Node's standard library only. Sunstone itself is not here.

const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const path = require('path')

// oned listens on IPv4 alone. Node 20, which the vendor ships, tries both addresses of localhost; older ones only the
// first, which in a pod is ::1.
require('dns').setDefaultResultOrder('ipv4first')

const location = process.env.ONE_LOCATION || ''
const etc = location ? `${location}/etc` : '/etc/one'
const varDir = location ? `${location}/var` : '/var/lib/one'
const logDir = location ? `${location}/var` : '/var/log/one'

// The configuration is flat where it matters: `name: value` at the start of a line.
const conf = {}
for (const line of fs.readFileSync(path.join(etc, 'fireedge-server.conf'), 'utf8').split('\n')) {
  const found = /^([a-z_]+):\s*['"]?([^'"#]+?)['"]?\s*(#.*)?$/.exec(line)
  if (found) conf[found[1]] = found[2]
}
const endpoint = conf.one_xmlrpc || 'http://localhost:2633/RPC2'
const oneflow = conf.oneflow_server || 'http://localhost:2474'

// In the format of FireEdge's logger.
const say = (text, level = 'info') => {
  const line = `[${new Date().toISOString()}] - [${level}] ${text}\n`
  try {
    fs.appendFileSync(path.join(logDir, 'fireedge.log'), line)
  } catch {
    process.stdout.write(line)
  }
}

// The key of tokens: created at the first start, readable by everyone, as observed.
const keyFile = path.join(varDir, '.one', 'fireedge_key')
const readKey = () => {
  if (!fs.existsSync(keyFile)) {
    fs.mkdirSync(path.dirname(keyFile), { recursive: true, mode: 0o700 })
    fs.writeFileSync(keyFile, crypto.randomBytes(16).toString('hex'))
    fs.chmodSync(keyFile, 0o644)
  }
  return fs.readFileSync(keyFile, 'utf8').trim()
}
const key = readKey()

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const unescape = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&')

// One XML-RPC call: { ok, text }; rejects when oned does not answer.
const call = (method, ...parameters) =>
  new Promise((resolve, reject) => {
    const values = parameters.map((p) => {
      const typed = Number.isInteger(p) ? `<i4>${p}</i4>` : `<string>${escape(p)}</string>`
      return `<param><value>${typed}</value></param>`
    })
    const body =
      `<?xml version="1.0"?><methodCall><methodName>${method}</methodName>` +
      `<params>${values.join('')}</params></methodCall>`
    const request = http.request(endpoint, { method: 'POST', headers: { 'Content-Type': 'text/xml' } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part) => (text += part))
      answer.on('end', () => {
        const string = /<string>([\s\S]*?)<\/string>/.exec(text)
        resolve({ ok: text.includes('<boolean>1</boolean>'), text: unescape(string ? string[1] : '') })
      })
    })
    request.on('error', reject)
    request.end(body)
  })

// serveradmin's session for a user; throws without sunstone_auth.
const serverSession = (user) => {
  const line = fs.readFileSync(path.join(varDir, '.one', 'sunstone_auth'), 'utf8').split('\n')[0]
  const at = line.indexOf(':')
  const server = line.slice(0, at)
  const digest = crypto.createHash('sha256').update(line.slice(at + 1)).digest('hex')
  const cipher = crypto.createCipheriv('aes-256-cbc', digest.slice(0, 32), digest.slice(0, 16))
  const expires = Math.floor(Date.now() / 1000) + 300
  const sealed = cipher.update(`${server}:${user}:${expires}`, 'utf8', 'base64') + cipher.final('base64')
  return `${server}:${user}:${sealed}`
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const sign = (text) => crypto.createHmac('sha256', key).update(text).digest('base64url')
const makeToken = (id, user) => {
  const minutes = Number(conf.session_expiration || 180)
  const exp = Math.floor(Date.now() / 1000) + minutes * 60
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ iss: id, aud: user, exp })}`
  return `${text}.${sign(text)}`
}
const releaseFile = '/usr/lib/onesim/release'
const release = process.env.ONESIM_RELEASE || (fs.existsSync(releaseFile) ? fs.readFileSync(releaseFile, 'utf8').trim() : '7.0.0')
const inCookie = release.startsWith('7.4.')

// A session is a token in the answer's body and in `Authorization` until 7.2, and since 7.4 the cookie alone.
const SESSION = 'FireedgeToken'
const tokenOf = (request) => {
  if (!inCookie) return (request.headers.authorization || '').replace(/^Bearer\s+/i, '')
  const cookies = (request.headers.cookie || '').split(';').map((cookie) => cookie.trim())
  const cookie = cookies.find((cookie) => cookie.startsWith(`${SESSION}=`))
  try {
    return JSON.parse(decodeURIComponent(cookie.slice(SESSION.length + 1))).token || ''
  } catch {
    return ''
  }
}
const userOf = (request) => {
  const token = tokenOf(request)
  const [head, body, signature] = token.split('.')
  if (!signature || sign(`${head}.${body}`) !== signature) return null
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  return claims.exp > Date.now() / 1000 ? claims.aud : null
}

const MESSAGES = { 200: 'OK', 400: 'Bad Request', 401: 'Unauthorized', 404: 'Not Found', 500: 'Internal Server Error' }
const send = (response, status, data) => {
  const body = { id: status, message: MESSAGES[status] }
  if (data !== undefined) body.data = data
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(body))
}

// Elements as objects, repeated ones as arrays; enough for the pools.
const toObject = (xml) => {
  const tokens = xml.match(/<!\[CDATA\[[\s\S]*?\]\]>|<[^>]+>|[^<]+/g) || []
  let at = 0
  const read = () => {
    let text = ''
    let children = null
    while (at < tokens.length) {
      const token = tokens[at++]
      if (token.startsWith('<![CDATA[')) text += token.slice(9, -3)
      else if (token.startsWith('</')) break
      else if (token.startsWith('<')) {
        const empty = token.endsWith('/>')
        const name = token.slice(1, empty ? -2 : -1).trim()
        const value = empty ? {} : read()
        children = children || {}
        if (name in children) children[name] = [].concat(children[name], [value])
        else children[name] = value
      } else text += unescape(token)
    }
    return children || text
  }
  return read()
}

const body = (request) =>
  new Promise((resolve, reject) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (part) => {
      text += part
      if (text.length > 1 << 20) reject(new Error('too large'))
    })
    request.on('end', () => resolve(text))
    request.on('error', reject)
  })

const login = async (request, response) => {
  const given = JSON.parse((await body(request)) || '{}')
  const { user, token } = given
  if (!user || !token) return send(response, 401)
  const own = await call('one.user.info', `${user}:${token}`, -1)
  if (!own.ok) return send(response, 401)
  // From here on FireEdge acts as serveradmin: with a wrong secret this is its own failure.
  const server = await call('one.user.info', serverSession(user), -1)
  if (!server.ok) throw new Error(server.text)
  const id = /<ID>(\d+)<\/ID>/.exec(server.text)[1]
  const session = makeToken(id, user)
  if (!inCookie) return send(response, 200, { token: session, id })
  const value = encodeURIComponent(JSON.stringify({ token: session }))
  const seconds = Number(conf.session_expiration || 180) * 60
  response.setHeader('Set-Cookie', `${SESSION}=${value}; Max-Age=${seconds}; Path=/; HttpOnly; SameSite=Lax`)
  return send(response, 200, { status: 'ok' })
}

// POST /fireedge/api/image/upload: one file as multipart/form-data goes to the directory for uploads as it comes, and the
// answer has its path, for `one.image.allocate`.
const uploads = '/var/tmp'
const upload = async (request, response) => {
  const type = /^multipart\/form-data;.*boundary="?([^";]+)"?/.exec(request.headers['content-type'] || '')
  if (!type) return send(response, 400)
  const end = Buffer.from(`\r\n--${type[1]}`)
  const file = path.join(uploads, crypto.randomBytes(16).toString('hex'))
  const out = fs.createWriteStream(file, { flags: 'wx', mode: 0o600 })
  let [held, state] = [Buffer.alloc(0), 'headers']
  for await (const chunk of request) {
    held = Buffer.concat([held, chunk])
    if (state === 'headers') {
      const at = held.indexOf('\r\n\r\n')
      if (at < 0) continue
      held = held.subarray(at + 4)
      state = 'content'
    }
    if (state === 'content') {
      const at = held.indexOf(end)
      // What could be the beginning of the end is held back.
      const content = held.subarray(0, at < 0 ? Math.max(0, held.length - end.length) : at)
      if (content.length && !out.write(content)) await new Promise((resolve) => out.once('drain', resolve))
      held = held.subarray(content.length)
      if (at >= 0) state = 'over'
    }
  }
  await new Promise((resolve) => out.end(resolve))
  if (state !== 'over') {
    fs.unlinkSync(file)
    return send(response, 400)
  }
  return send(response, 200, [file])
}

// GET /fireedge/api/<resource>/info
const POOLS = {
  'vmpool/info': ['one.vmpool.info', -2, -1, -1, -1],
  'zonepool/info': ['one.zonepool.info'],
  'hostpool/info': ['one.hostpool.info'],
  'datastorepool/info': ['one.datastorepool.info'],
  'clusterpool/info': ['one.clusterpool.info'],
  'userpool/info': ['one.userpool.info'],
  'system/version': ['one.system.version'],
}

const api = async (request, response, name) => {
  if (name === 'auth' && request.method === 'POST') return login(request, response)
  const user = userOf(request)
  if (!user) return send(response, 401)
  if (name === 'sunstone/views') return send(response, 200, { user: [], admin: [] })
  if (name === 'service') return proxy(user, response)
  if (name === 'image/upload' && request.method === 'POST') return upload(request, response)
  const logs = /^vm\/(\d+)\/logs$/.exec(name)
  if (logs && !release.startsWith('7.0.')) return vmLogs(response, logs[1])
  const pool = POOLS[name]
  if (!pool) return send(response, 404)
  const [method, ...parameters] = pool
  const answer = await call(method, serverSession(user), ...parameters)
  if (!answer.ok) throw new Error(answer.text)
  return send(response, 200, answer.text.startsWith('<') ? toObject(answer.text) : answer.text)
}

// OneFlow takes basic authentication: serveradmin's session is user "serveradmin" with the rest as password.
const proxy = (user, response) => {
  const session = Buffer.from(serverSession(user)).toString('base64')
  const request = http.request(`${oneflow}/service`, { headers: { Authorization: `Basic ${session}` } }, (answer) => {
    let text = ''
    answer.on('data', (part) => (text += part))
    answer.on('end', () => send(response, answer.statusCode, answer.statusCode === 200 ? JSON.parse(text) : undefined))
  })
  request.on('error', () => send(response, 500))
  request.end()
}

// The log of a virtual machine, where the release's FireEdge looks for it: 7.0 has no such view, 7.4 asks oned for the place.
const LEVELS = [['E', 'error'], ['W', 'warning'], ['D', 'debug'], ['I', 'info']]
const vmLogs = async (response, id) => {
  let file = path.join(logDir, `${id}.log`)
  if (release.startsWith('7.4.')) {
    const answer = await call('one.system.config', serverSession('serveradmin'))
    if (!answer.ok) return send(response, 500)
    if (/<USE_VMS_LOCATION>(<!\[CDATA\[)?YES/.test(answer.text)) file = path.join(varDir, 'vms', id, 'vm.log')
  }
  if (!fs.existsSync(file)) return send(response, 404, 'Log file not found')
  const lines = fs.readFileSync(file, 'utf8').split('\n').filter((line) => line.trim() !== '').map((text) => {
    const level = LEVELS.find(([mark]) => text.includes(`[${mark}]`))
    return { level: level ? level[1] : 'debug', text }
  })
  return send(response, 200, { meta: { mode: 'all', total_lines: lines.length }, lines })
}

const PAGE = fs.readFileSync(path.join(__dirname, 'index.html'), 'utf8')

const handle = async (request, response) => {
  const url = request.url.split('?')[0]
  if (url === '/') {
    response.writeHead(302, { Location: '/fireedge/sunstone' })
    return response.end()
  }
  if (url.startsWith('/fireedge/api/')) return api(request, response, url.slice('/fireedge/api/'.length).replace(/\/$/, ''))
  if (url.startsWith('/fireedge/websockets/hooks')) {
    // The first answer of a socket.io server to a polling client.
    const open = { sid: crypto.randomBytes(10).toString('hex'), upgrades: ['websocket'], pingInterval: 25000, pingTimeout: 20000 }
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=UTF-8' })
    return response.end(`0${JSON.stringify(open)}`)
  }
  if (url === '/fireedge/client/bundle.sunstone.js') {
    response.writeHead(200, { 'Content-Type': 'application/javascript; charset=UTF-8' })
    return response.end(fs.readFileSync(path.join(__dirname, 'bundle.sunstone.js')))
  }
  if (url.startsWith('/fireedge')) {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
    return response.end(PAGE)
  }
  return send(response, 404)
}

const server = http.createServer((request, response) => {
  handle(request, response).catch((error) => {
    say(`${request.method} ${request.url}: ${error.message}`, 'error')
    if (!response.headersSent) send(response, 500)
  })
})

const SOCKETS = ['/fireedge/guacamole', '/fireedge/external-guacamole', '/fireedge/websockets/hooks']
const sockets = new Set()
server.on('upgrade', (request, socket) => {
  const url = request.url.split('?')[0].replace(/\/$/, '')
  const wanted = request.headers['sec-websocket-key']
  if (!wanted || !SOCKETS.includes(url)) return socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  const accept = crypto
    .createHash('sha1')
    .update(`${wanted}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  const protocol = (request.headers['sec-websocket-protocol'] || '').split(',')[0].trim()
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n${protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ''}\r\n`
  )
  sockets.add(socket)
  socket.on('error', () => socket.destroy())
  socket.on('close', () => sockets.delete(socket))
  socket.resume()
})

const scale = () => {
  const file = '/usr/lib/onesim/time-scale'
  const given = process.env.ONESIM_TIME_SCALE || (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '1')
  return Number(given) >= 0 ? Number(given) : 1
}
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => setTimeout(() => process.exit(0), 2000 * scale()))
}

const port = Number(conf.port || 2616)
server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})
// A knob of the simulation: with "fireedge" in the file /usr/lib/onesim/trace it prints an error with its stack.
const knob = '/usr/lib/onesim/trace'
if (fs.existsSync(knob) && fs.readFileSync(knob, 'utf8').split(/\s+/).includes('fireedge')) {
  console.error(new TypeError("Cannot read properties of undefined (reading 'data')"))
}
server.listen(port, conf.host || '0.0.0.0', () => {
  say(`Server could be listening on ${conf.host}:${port}`)
  process.stdout.write(`Server listening on ${conf.host}:${port}\n`)
})
