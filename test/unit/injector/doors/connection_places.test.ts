/** Who makes room where there is no place left. */
import { beforeEach, expect, test } from 'vitest';
import { ConnectionPlaces, type Place } from '../../../../injector/doors/connection_places.ts';

let gone: string[];

beforeEach(() => {
  gone = [];
});

function take(places: ConnectionPlaces, address: string, name = address): Place {
  const place = places.take(address, () => gone.push(name));
  if (place === undefined) throw new Error(`no place for ${name}`);
  return place;
}

test('the address that has the most makes room, with the connection that has shown least', () => {
  const places = new ConnectionPlaces({ maxPerAddress: 3, maxTotal: 4 });
  take(places, 'a');
  take(places, 'b', 'b1').rise();
  take(places, 'b', 'b2');
  take(places, 'b', 'b3');
  take(places, 'c');
  expect(gone).toEqual(['b2']);
  take(places, 'd');
  expect(gone).toEqual(['b2', 'b3']);
});

test('of addresses that have as many, the one whose connection has shown least makes room, and then the first', () => {
  const places = new ConnectionPlaces({ maxPerAddress: 1, maxTotal: 3 });
  take(places, 'a').rise();
  take(places, 'b');
  take(places, 'c');
  take(places, 'd');
  take(places, 'e');
  expect(gone).toEqual(['b', 'c']);
});

test('who has settled keeps its place; where all have, nobody else gets one', () => {
  const places = new ConnectionPlaces({ maxPerAddress: 2, maxTotal: 2 });
  const first = take(places, 'a');
  first.settle();
  take(places, 'a', 'a2').settle();
  expect(places.take('b', () => {})).toBeUndefined();
  first.settle(false);
  take(places, 'b');
  expect(gone).toEqual(['a']);
});

test('a place that was given back is free, however often that is said', () => {
  const places = new ConnectionPlaces({ maxPerAddress: 1, maxTotal: 1 });
  const place = take(places, 'a');
  place.leave();
  place.leave();
  place.rise();
  place.settle();
  take(places, 'b');
  expect(gone).toEqual([]);
  take(places, 'c');
  expect(gone).toEqual(['b']);
});
