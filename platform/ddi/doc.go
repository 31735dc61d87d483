// Package ddi speaks Direct Device Integration, the interface that Eclipse hawkBit and
// servers like it have for devices: what is offered, what it consists of, and how a
// device tells what became of it. The rules here were tried on hawkBit 1.1.0 and on
// goosebit 0.2.12; https://eclipse.dev/hawkbit/apis/ddi_api is the interface's description.
//
// # What it promises
//
//   - It asks one server. Its own URL is made of the configuration alone. A link of the
//     server gives path and query, and only when its scheme and host are the configured
//     ones or an alias of them: behind a proxy that speaks https, hawkBit makes links of
//     plain http, and a client that follows them sends its token in clear text.
//   - The token goes to that server alone. No error has it, nor anything else that a
//     link's query may hide.
//   - An answer of another kind (a redirect, a login page, a proxy's 404) is an outage,
//     and never the server's word.
//   - Whatever a server sends is bounded, and so is what it is sent.
//   - What hawkBit takes for something else than it says cannot be said: closed without a
//     result (a success), "canceled" (nothing).
//
// It keeps nothing on the disk and repeats nothing but what hawkBit refused for its
// words. When to ask, and what must be durable before it is told, is the caller's.
//
// # Where to start reading
//
// config.go is what a client needs, poll.go the first question, deployment.go what is
// offered, feedback.go what is told. error.go has the kinds of failure and Judge, for an
// outbox. link.go is the rule for links, and client.go makes a request.
//
// The fake server of package dditest refuses what the real one refuses. ddiplay plays a
// device against a server that runs somewhere.
package ddi
