"""Calls from other threads reach the event loop in order, many of them with one wake-up."""

import asyncio
import threading

from textgen.serving.http.mailbox import Mailbox


def test_waiting_calls_need_one_wake_up():
    async def run():
        loop, received, wake_ups = asyncio.get_running_loop(), [], []
        wake = loop.call_soon_threadsafe

        def count(*args):
            wake_ups.append(args)
            return wake(*args)

        loop.call_soon_threadsafe = count
        mailbox = Mailbox(loop)
        for number in range(100):
            mailbox.post(received.append, number)
        await asyncio.sleep(0)
        return received, len(wake_ups)

    assert asyncio.run(run()) == (list(range(100)), 1)


def test_no_call_of_several_threads_is_lost_or_overtaken():
    async def run():
        received, mailbox = [], Mailbox(asyncio.get_running_loop())

        def post(name):
            for number in range(1000):
                mailbox.post(received.append, (name, number))

        threads = [threading.Thread(target=post, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        async with asyncio.timeout(30):
            while len(received) < 4000:
                await asyncio.sleep(0.001)
        return received

    received = asyncio.run(run())
    for name in range(4):
        assert [number for of, number in received if of == name] == list(range(1000))


def test_a_loop_that_is_closed_is_no_error():
    loop = asyncio.new_event_loop()
    loop.close()
    Mailbox(loop).post(print)
