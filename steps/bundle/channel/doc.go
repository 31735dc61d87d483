// Package channel is the format of a channel, a small signed file that tells devices
// which release to install, and the rules by which a device reads it. docs/channel.md
// specifies it; docs/decisions/0027 says why it is as it is.
//
// # What a channel can do
//
// It chooses among releases. It names each by the digest that its signature vouches for,
// and the bundle still has to carry that signature and fit the device, so who holds a
// channel key can hold devices back or hurry them, and gives them no code of his own.
//
// # How a device uses it
//
//	Receive     checks the file's signature, and that it is not older than what this
//	            device has seen. It returns what to remember, to be durable before the
//	            file is acted upon.
//	Memory.Time is the time by which the file is judged.
//	File.Choose finds the release for this device, or says in words why there is none.
//
// # How a publisher makes it
//
// Source is the file that people edit and review. Sealing it (Source.File, File.Encode,
// Seal) adds what only the signing knows: serial, time, expiry and signature.
//
// The package is pure: it reads no clock, no disk and no network, and is safe for
// concurrent use. It trusts no input: a Source or File that Parse, ParseSource or Verify
// returns keeps every rule. Start at File.
package channel
