package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// The layout of a stored value, of records and of everything else:
//
//	offset  size
//	     0     1  format: 1
//	     1    32  SHA-256
//	    33     -  payload, JSON
//
// A record's sum is taken over the sum of the record before it, its own key,
// the format byte and the payload, so that a record cannot change, vanish or
// move without breaking the chain. Any other value's sum is taken over its key
// in place of the first two. A later format may lay out its payload as it
// likes, but the first 33 bytes never change their meaning: so this program can
// follow the chain over records it cannot read.
const (
	format     = 1
	sumSize    = sha256.Size
	headSize   = 1 + sumSize
	keySize    = 8
	maxPayload = 1 << 20
)

// zeroSum is the beginning of a new journal's chain.
var zeroSum = [sumSize]byte{}

// key is a record's key: its number, big-endian, so that keys sort by age.
func key(seq uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, keySize), seq)
}

// Encode makes the stored value of r, which follows a record whose sum was
// prev (hex; empty for the first). The record it returns is what Decode will
// make of the value.
func Encode(prev string, r Record) ([]byte, Record, error) {
	before, err := parseSum(prev)
	if err != nil {
		return nil, r, err
	}
	payload, err := marshal(r)
	if err != nil {
		return nil, r, fmt.Errorf("%w: cannot encode record %d: %w", ErrInvalid, r.Seq, err)
	}
	if len(payload) > maxPayload {
		return nil, r, fmt.Errorf("%w: record %d has %d bytes, more than %d", ErrInvalid, r.Seq, len(payload), maxPayload)
	}
	value := make([]byte, headSize, headSize+len(payload))
	value[0] = format
	value = append(value, payload...)
	sum := chain(before, key(r.Seq), value)
	copy(value[1:], sum[:])
	stored, err := Decode(r.Seq, value)
	return value, stored, err
}

// Decode reads a stored value. It accepts unknown fields and phases, and also a
// payload that it does not understand: such a record, written by a newer
// program, comes back with Seq, Sum and Raw only. Decode does not check the
// sum; see Follows.
func Decode(seq uint64, value []byte) (Record, error) {
	if len(value) < headSize {
		return Record{Seq: seq}, &flaw{DamagedChain, fmt.Sprintf("record %d has %d bytes, fewer than its head", seq, len(value))}
	}
	bare := Record{Seq: seq, Sum: hex.EncodeToString(value[1:headSize]), Raw: bytes.Clone(value[headSize:])}
	r := bare
	if known := value[0] == format && json.Unmarshal(bare.Raw, &r) == nil; !known {
		return bare, nil
	}
	r.Seq, r.Sum, r.Raw = bare.Seq, bare.Sum, bare.Raw
	return r, nil
}

// StoredSize is the size of a record that was read, in bytes as stored.
func StoredSize(r Record) int { return headSize + len(r.Raw) }

// Follows reports whether value is whole and was written as record seq after the
// record whose sum was prev.
func Follows(prev string, seq uint64, value []byte) bool {
	before, err := parseSum(prev)
	if err != nil || len(value) < headSize {
		return false
	}
	sum := chain(before, key(seq), value)
	return bytes.Equal(sum[:], value[1:headSize])
}

func chain(before [sumSize]byte, key, value []byte) [sumSize]byte {
	h := sha256.New()
	h.Write(before[:])
	h.Write(key)
	h.Write(value[:1])
	h.Write(value[headSize:])
	return [sumSize]byte(h.Sum(nil))
}

func parseSum(s string) (sum [sumSize]byte, err error) {
	if s == "" {
		return zeroSum, nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sumSize {
		return sum, fmt.Errorf("%w: %q is not a sum", ErrInvalid, s)
	}
	return [sumSize]byte(b), nil
}

// seal makes the stored value of something that is not part of the chain.
func seal(key string, payload []byte) []byte {
	value := make([]byte, headSize, headSize+len(payload))
	value[0] = format
	value = append(value, payload...)
	sum := chain(zeroSum, []byte(key), value)
	copy(value[1:], sum[:])
	return value
}

// unseal returns the payload of a sealed value, and false when it is not whole.
func unseal(key string, value []byte) ([]byte, bool) {
	if len(value) < headSize || value[0] != format {
		return nil, false
	}
	sum := chain(zeroSum, []byte(key), value)
	return value[headSize:], bytes.Equal(sum[:], value[1:headSize])
}

// marshal is json.Marshal without the escapes that are only good for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
