// Package hawkbit is the fleet.Source of servers that speak hawkBit's Direct Device
// Integration: what is assigned to this device there is offered, and what becomes of it
// is told.
//
// # What it promises
//
//   - An action is one offer until the server has shown that it is over: it is not shown
//     any more. Shown again, it is another offer, 7#2 after 7, as goosebit makes it when a
//     release is assigned a second time (facts.go).
//   - The end of an action is told once. That it failed is never told after its success,
//     which goosebit would believe (tell.go).
//   - The server is asked what an action consists of when its poll says that something has
//     changed, and after a restart: hawkBit makes an entry of each such question.
//
// What is on the wire, the token and the rule for links are package ddi's. When to ask,
// whether an offer is taken and what is durable before it is told are the loop's.
//
// Reading starts at source.go; ask.go has what is offered. The program hawkbitplay plays
// it against a server that runs somewhere.
package hawkbit
