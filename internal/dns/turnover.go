package dns

// A turnover is a map that does not grow: when half of its places are taken
// by new keys, what was not asked for since the last time is forgotten. The
// zero value is not usable; see newTurnover.
type turnover[K comparable, V any] struct {
	young, old map[K]V
	half       int
}

func newTurnover[K comparable, V any](places int) *turnover[K, V] {
	return &turnover[K, V]{young: make(map[K]V), old: make(map[K]V), half: max(1, places/2)}
}

// get finds a key and keeps it from being forgotten next.
func (t *turnover[K, V]) get(k K) (V, bool) {
	if v, ok := t.young[k]; ok {
		return v, true
	}
	v, ok := t.old[k]
	if ok {
		t.put(k, v)
	}
	return v, ok
}

func (t *turnover[K, V]) put(k K, v V) {
	if _, ok := t.young[k]; !ok && len(t.young) >= t.half {
		// The maps are used again with the room that they have.
		clear(t.old)
		t.young, t.old = t.old, t.young
	}
	t.young[k] = v
}

// size is the number of keys, those counted twice that are both young and old.
func (t *turnover[K, V]) size() int { return len(t.young) + len(t.old) }
