"""Several kernels: each has a folder of its own, and leaves nothing behind."""

import unittest

from client import Notebook, folders


class Sessions(unittest.TestCase):
    def test_two_kernels_in_turns_do_not_disturb_each_other(self):
        before = folders()
        first, second = Notebook(), Notebook()
        try:
            for notebook, value in [(first, 1), (second, 2)]:
                notebook.run(f"let mine = {value}; struct Own([u8; {value}]);")
            for round in range(3):
                for notebook, value in [(first, 1), (second, 2)]:
                    reply = notebook.run(f"let mine = mine + 10; (mine, std::mem::size_of::<Own>(), {round})")
                    self.assertEqual(reply.result(), [f"({value + 10 * (round + 1)}, {value}, {round})"])
            self.assertEqual(len(folders() - before), 2)
        finally:
            first.close()
            second.close()
        self.assertLessEqual(folders(), before)

    def test_a_kernel_that_was_killed_leaves_nothing_that_stops_the_next(self):
        before = folders()
        victim = Notebook()
        (left,) = folders() - before
        victim.kill()
        self.assertIn(left, folders(), "nobody could clean up")
        survivor = Notebook()
        try:
            self.assertEqual(survivor.run("1 + 1").result(), ["2"])
            self.assertNotIn(left, folders())
        finally:
            survivor.close()
        self.assertLessEqual(folders(), before, "only what was there before, if it still is")


if __name__ == "__main__":
    unittest.main()
