"""A module of functions of many types, and a Python program to begin with: `f` is the module, loaded."""

from __future__ import annotations

VALUES = """
module Vals where
import Control.Exception
import Data.Int
import Data.IORef
import Data.Ratio
import Data.Word
import Numeric.Natural
import System.IO.Unsafe
import System.Mem
import qualified Data.ByteString as B
import qualified Data.ByteString.Lazy as BL
import qualified Data.Map as M
import qualified Data.Text as T
import qualified Data.Text.Lazy as TL

add :: Int -> Int -> Int
add = (+)
type Sizes = (Int8, Int16, Int32, Int64, Word8, Word16, Word32)
sizes :: Sizes -> Sizes
sizes (a, b, c, d, e, f, g) = (negate a, negate b, negate c, negate d, e + 1, f + 1, g + 1)
word :: Word -> Word64 -> (Word, Word64)
word a b = (a + 1, b + 1)
fact :: Integer -> Integer
fact n = product [1 .. n]
minus :: Integer -> Integer
minus = negate
isLarge :: Integer -> Bool
isLarge n = n > 2 ^ (62 :: Int)
twice :: Natural -> Natural
twice = (* 2)
half :: Double -> Double
half = (/ 2)
halfFloat :: Float -> Float
halfFloat = (/ 2)
rev :: String -> String
rev = reverse
upper :: T.Text -> T.Text
upper = T.toUpper
cut :: T.Text -> T.Text
cut = T.drop 1
upperLazy :: TL.Text -> TL.Text
upperLazy = TL.toUpper
bytes :: B.ByteString -> B.ByteString
bytes = B.reverse . B.drop 1
bytesLazy :: BL.ByteString -> BL.ByteString
bytesLazy = BL.reverse
upto :: Int -> [Int]
upto n = [1 .. n]
total :: [Int] -> Int
total = sum
doubles :: [Double] -> [Double]
doubles = map (* 2)
floats :: [Float] -> [Float]
floats = map (* 2)
type Nested = [[(Int, String, Maybe Double)]]
nested :: Int -> Nested
nested n = [[(i, show i, if even i then Just (fromIntegral i) else Nothing) | i <- [1 .. m]] | m <- [1 .. n]]
same :: Nested -> Nested
same x = x
swap :: Either Int String -> Either String Int
swap = either (Right . negate) (Left . reverse)
third :: Rational -> Rational
third = (/ 3)
type Seven = (Int, Bool, Char, Word8, (), Maybe (Maybe Int), Integer)
turned :: Seven -> (Integer, Maybe (Maybe Int), (), Word8, Char, Bool, Int)
turned (a, b, c, d, e, f, g) = (g, f, e, d, c, b, a)
nats :: [Integer]
nats = [0 ..]
ones :: [Int]
ones = repeat 1
boom :: Int -> [Int]
boom n = [1, 2, n `div` 0]
boomDeep :: Int -> [Maybe (Int, String)]
boomDeep n = [Just (n, "a"), Just (n, error ("deep" ++ show n))]
fromPairs :: [(String, Int)] -> M.Map String Int
fromPairs = M.fromList
look :: M.Map String Int -> String -> Maybe Int
look m k = M.lookup k m
poly :: a -> b -> a
poly a _ = a
pairUp :: [a] -> [(a, a)]
pairUp xs = zip xs (drop 1 xs)
counter :: Int -> IO (Int -> IO Int)
counter n = do { r <- newIORef n; return (\\x -> do { modifyIORef r (+ x); readIORef r }) }
actions :: [IO Int]
actions = [return 1, return 2]
mapIO :: (Int -> IO Int) -> [Int] -> IO [Int]
mapIO = mapM
mapPure :: (Int -> Int) -> [Int] -> [Int]
mapPure = map
mapAny :: (a -> IO Int) -> [a] -> IO [Int]
mapAny = mapM
caught :: (Int -> IO Int) -> IO String
caught f = (show <$> f 3) `catch` \\e -> return ("caught " ++ show (e :: IOException))
three :: (String -> Double -> [Int] -> IO String) -> IO String
three f = f "abc" 2.5 [1, 2, 3]
forced :: (Int -> IO Int) -> Int -> IO Int
forced f n = f (if n > 0 then n else error "not positive")
later :: IORef (Int -> IO Int)
later = unsafePerformIO (newIORef return)
{-# NOINLINE later #-}
store :: (Int -> IO Int) -> IO ()
store = writeIORef later
stored :: Int -> IO Int
stored n = do { performMajorGC; f <- readIORef later; f n }
make :: (Int -> Int -> Int) -> Int -> Int
make f = f 10
functions :: (Int -> IO (Int -> IO Int)) -> IO Int
functions f = do { g <- f 1; g 2 }
collect :: IO ()
collect = performMajorGC
"""

BEGIN = """
import itertools, sys
from fractions import Fraction
from rtlinker.errors import *
from rtlinker.haskell import Handle, HaskellFunction, Just, Left, Right, Runtime
from rtlinker.haskell.seeing import represented
from rtlinker.haskell.types import write

f = Runtime(sys.argv[1]).load(sys.argv[2])
values = f.machine.values

def refused(function, *arguments):
    try:
        function(*arguments)
    except SignatureError as error:
        return dict(error.facts)
    raise AssertionError("was not refused")
"""
